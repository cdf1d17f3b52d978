import { check } from '../report.ts';
import { countBy, formatCounts, many, once } from '../traffic.ts';
import type { Step } from './step.ts';

const FAULTS = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ratings, namespace: default }
spec:
  hosts: [ratings]
  http:
    - match:
        - headers: { end-user: { exact: jason } }
      fault:
        delay: { fixedDelay: 2s, percentage: { value: 100 } }
      timeout: 0.5s
      route:
        - destination: { host: ratings }
    - match:
        - uri: { prefix: /slow }
      timeout: 0.5s
      route:
        - destination: { host: ratings }
    - match:
        - uri: { prefix: /flaky }
      retries: { attempts: 3, perTryTimeout: 2s, retryOn: 5xx }
      route:
        - destination: { host: ratings }
    - fault:
        abort: { httpStatus: 503, percentage: { value: 50 } }
      route:
        - destination: { host: ratings }
---
# By turns, so that a retry surely finds the other instance. The default, LEAST_REQUEST, prefers the one that fails faster.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ratings, namespace: default }
spec:
  host: ratings
  trafficPolicy:
    loadBalancer: { simple: ROUND_ROBIN }
`;

export const faults: Step = {
  id: '4',
  title: 'Fault injection, timeouts, retries',
  async run(world) {
    await world.apply('ratings.yaml', FAULTS);
    const aborted = await many(6000, 16, () => world.load.fetch('http://ratings:9080/ratings/0'));
    const share = (100 * aborted.filter((answer) => answer.status === 503 && answer.body === 'fault filter abort').length) / aborted.length;
    const delayed = await many(5, 5, () => world.load.fetch('http://ratings:9080/ratings/0', { headers: { 'end-user': 'jason' } }));
    const ratings = ['ratings-v1-1', 'ratings-v1-2'].map((name) => world.instance(name));
    await Promise.all(ratings.map((instance) => instance.order({ delayMs: 1500 })));
    const slow = await once(() => world.load.fetch('http://ratings:9080/slow'));
    await Promise.all(ratings.map((instance) => instance.order({ delayMs: 0 })));
    await ratings[0]!.order({ failPercent: 100, failStatus: 503 });
    const flaky = await many(300, 8, () => world.load.fetch('http://ratings:9080/flaky'));
    await ratings[0]!.order({ failPercent: 0 });
    const times = delayed.map((answer) => answer.ms);
    return [
      check('503 for 50 % ± 3 % of 6,000', Math.abs(share - 50) <= 3, `${share.toFixed(2)} %`),
      check(
        "jason waits 2 s and gets 200: the fault's delay does not count against the 0.5 s timeout",
        delayed.every((answer) => answer.status === 200 && answer.ms >= 1990 && answer.ms < 2400),
        `${formatCounts(countBy(delayed, (answer) => `${answer.status}`))}, ${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)} ms`,
      ),
      check(
        'a slow upstream behind a 0.5 s timeout: 504',
        slow.status === 504 && slow.ms < 900 && slow.ms >= 480,
        `${slow.status} after ${slow.ms.toFixed(0)} ms, "${slow.body}"`,
      ),
      check(
        'retries mask the ratings instance that always fails',
        flaky.every((answer) => answer.status === 200),
        formatCounts(countBy(flaky, (answer) => `${answer.status}`)),
      ),
    ];
  },
};
