import { check } from '../report.ts';
import type { ReceivedSpan } from '../trace-receiver.ts';
import { Background, countBy, formatCounts, many, once, sleep, until } from '../traffic.ts';
import { sumSeries, type World } from '../world.ts';
import type { Step } from './step.ts';

/** The part of /api/graph that the tour asserts. */
interface Graph {
  readonly edges: readonly {
    source: string;
    target: string;
    rps: number;
    errorPercent: number;
    p50Ms: number;
    p99Ms: number;
    mtls: boolean;
  }[];
}

const ROUTES = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: { host: reviews, subset: v2 }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec:
  host: reviews
  subsets:
    - { name: v2, labels: { version: v2 } }
`;

/** productpage's istio_requests_total by response code, summed over its instances, as the destination reports them. */
async function servedByProductpage(world: World): Promise<Record<string, number>> {
  const totals: Record<string, number> = {};
  for (const name of ['productpage-v1-1', 'productpage-v2-1']) {
    const { admin } = await world.instance(name).ready;
    const { body } = await once(() => fetch(`http://${admin}/stats/prometheus`));
    for (const code of ['200', '404', '503']) {
      totals[code] = (totals[code] ?? 0) + sumSeries(body, 'istio_requests_total', { reporter: 'destination', response_code: code });
    }
  }
  return totals;
}

export const observability: Step = {
  id: '12',
  title: 'Metrics that add up, one trace, the true graph',
  async run(world) {
    await world.apply('reviews.yaml', ROUTES);
    const before = await servedByProductpage(world);
    await Promise.all(
      ['productpage-v1-1', 'productpage-v2-1'].map((name) => world.instance(name).order({ failPercent: 20, failStatus: 503 })),
    );
    const pages = await many(150, 4, () => world.viaGateway('shop.example.com', '/productpage'));
    await Promise.all(['productpage-v1-1', 'productpage-v2-1'].map((name) => world.instance(name).order({ failPercent: 0 })));
    const missing = await many(30, 4, () => world.viaGateway('shop.example.com', '/nowhere'));
    const counted = countBy([...pages, ...missing], (answer) => `${answer.status}`);
    const after = await servedByProductpage(world);
    const scraped = Object.fromEntries(Object.keys(after).map((code) => [code, after[code]! - before[code]!]));
    const sum = Object.values(scraped).reduce((left, right) => left + right, 0);
    const same = sum === pages.length + missing.length && Object.keys(after).every((code) => scraped[code] === (counted[code] ?? 0));

    // A trace of our own choosing: the app forwards no header.
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    await once(() => world.viaGateway('shop.example.com', '/productpage', { traceparent }));
    const ours = (): ReceivedSpan[] => world.traces.spans.filter((span) => span.traceId === traceId);
    await until(() => chain(ours()).length >= 7, 5000);
    const path = chain(ours());

    world.report.progress('5 s of shop traffic for the graph, 30 requests per second');
    const load = new Background(() => world.viaGateway('shop.example.com', '/productpage'), 30);
    // The window of 3 s must not reach back to the failures above.
    await sleep(2000);
    const before3s = load.answers.length;
    await sleep(3000);
    const answer = await world.get('/api/graph?seconds=3');
    // What this machine managed, not what was asked of it; scrapes come once a second.
    const rps = (load.answers.length - before3s) / 3;
    await load.stop();
    const graph = (answer.status === 200 ? JSON.parse(answer.body) : { edges: [] }) as Graph;
    const edges = graph.edges.map((edge) => `${edge.source} → ${edge.target}`).sort();
    const truth = ['istio-ingressgateway → productpage', 'productpage → details', 'productpage → reviews', 'reviews → ratings'];
    const page = await world.get('/');
    const complete = graph.edges.every(
      (edge) =>
        edge.rps > rps / 2 && edge.rps < rps * 2 && edge.p50Ms > 0 && edge.p99Ms >= edge.p50Ms && edge.errorPercent === 0 && edge.mtls,
    );
    return [
      check(
        'istio_requests_total of productpage = what the driver counted, by code',
        same,
        `scraped ${formatCounts(scraped)}, counted ${formatCounts(counted)}`,
      ),
      check(
        'one trace: gateway → productpage → reviews → ratings, each span the child of the one before',
        path.map((span) => span.service.split('-v')[0]).join(' ') ===
          'istio-ingressgateway istio-ingressgateway productpage productpage reviews reviews ratings',
        path.map((span) => `${span.service} ${span.kind === 2 ? 'server' : 'client'}`).join(' → ') ||
          `no such chain in ${ours()
            .map((span) => `${span.service} ${span.name}`)
            .join(', ')}`,
      ),
      check(`graph: exactly ${truth.join(', ')}`, edges.join() === truth.join(), edges.join(', ') || 'no edges'),
      check(
        `each edge with about ${rps.toFixed(0)} rps, error %, p50, p99 and the lock`,
        graph.edges.length === truth.length && complete,
        graph.edges
          .map(
            (edge) =>
              `${edge.target} ${edge.rps.toFixed(1)} rps ${edge.errorPercent} % ${edge.p50Ms.toFixed(1)}/${edge.p99Ms.toFixed(1)} ms${edge.mtls ? ' 🔒' : ''}`,
          )
          .join('; '),
      ),
      check('the live page is served', page.status === 200 && page.body.includes('<html'), `${page.status}, ${page.body.length} bytes`),
    ];
  },
};

/** The longest parent-to-child chain that ends at ratings. */
function chain(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const leaf = spans.find((span) => span.service.startsWith('ratings'));
  const path: ReceivedSpan[] = [];
  for (let span = leaf; span !== undefined; span = byId.get(span.parentSpanId)) path.unshift(span);
  return path;
}
