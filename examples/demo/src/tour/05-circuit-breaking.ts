import { check } from '../report.ts';
import { countBy, formatCounts, many, sleep } from '../traffic.ts';
import type { Step } from './step.ts';

const POOL = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: details, namespace: default }
spec:
  host: details
  trafficPolicy:
    connectionPool:
      tcp: { maxConnections: 1 }
      http: { http1MaxPendingRequests: 1 }
`;

const OUTLIER = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ratings, namespace: default }
spec:
  host: ratings
  trafficPolicy:
    loadBalancer: { simple: ROUND_ROBIN }
    outlierDetection:
      consecutive5xxErrors: 5
      interval: 1s
      baseEjectionTime: 3s
      maxEjectionPercent: 100
`;

export const circuitBreaking: Step = {
  id: '5',
  title: 'Circuit breaking and outlier detection',
  async run(world) {
    await world.remove('ratings.yaml');
    await world.apply('details.yaml', POOL);
    await world.instance('details-v1-1').order({ delayMs: 400 });
    await world.instance('details-v1-2').order({ delayMs: 400 });
    const burst = await many(12, 12, () => world.load.fetch('http://details:9080/details/0'));
    await world.instance('details-v1-1').order({ delayMs: 0 });
    await world.instance('details-v1-2').order({ delayMs: 0 });
    const refused = burst.filter((answer) => answer.status === 503);
    const uo = await world.metric(`http://${world.load.adminAddress}`, 'istio_requests_total', {
      response_flags: 'UO',
      destination_service_name: 'details',
      reporter: 'source',
    });
    await world.remove('details.yaml');

    await world.apply('ratings-outlier.yaml', OUTLIER);
    const bad = world.instance('ratings-v1-2');
    await bad.order({ failPercent: 100, failStatus: 500 });
    const first = await many(200, 1, () => world.load.fetch('http://ratings:9080/ratings/0'));
    const errors = first.filter((answer) => answer.status === 500).length;
    const lastError = first.findLastIndex((answer) => answer.status === 500);
    await bad.order({ failPercent: 0 });
    world.report.progress('waiting for the base ejection time (3 s) to pass');
    await sleep(4600);
    const later = await many(200, 2, () => world.load.fetch('http://ratings:9080/ratings/0'));
    const back = countBy(later, (answer) => `${answer.status} ${answer.servedBy}`);
    await world.remove('ratings-outlier.yaml');
    const slowest = Math.max(...refused.map((answer) => answer.ms), 0);
    return [
      check(
        '12 at once over 1 connection and 1 pending: surplus gets 503 at once, flag UO',
        refused.length >= 8 &&
          refused.length < 12 &&
          slowest < 200 &&
          refused.every((answer) => answer.headers.get('x-envoy-overloaded') === 'true') &&
          uo === refused.length,
        `${formatCounts(countBy(burst, (answer) => `${answer.status}`))}, slowest refusal ${slowest.toFixed(0)} ms, istio_requests_total{response_flags="UO"} ${uo}`,
      ),
      check(
        'after 5 consecutive 5xx the failing instance is out',
        errors === 5 && lastError < 20,
        `${errors} errors in 200 requests, the last at request ${lastError + 1}`,
      ),
      check(
        'and back after the base ejection time',
        (back['200 ratings-v1-2'] ?? 0) > 50 && later.every((answer) => answer.status === 200),
        formatCounts(back),
      ),
    ];
  },
};
