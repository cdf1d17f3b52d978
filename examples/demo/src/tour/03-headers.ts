import { check } from '../report.ts';
import { countBy, formatCounts, many } from '../traffic.ts';
import type { World } from '../world.ts';
import type { Step } from './step.ts';

const YAML = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http:
    - match:
        - headers: { end-user: { exact: jason } }
      route:
        - destination: { host: reviews, subset: v2 }
      retries: { attempts: 2, retryOn: 5xx }
    - route:
        - destination: { host: reviews, subset: v1 }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec:
  host: reviews
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
    - { name: v3, labels: { version: v3 } }
`;

/** Requests that the handler of each reviews version has seen. */
async function handled(world: World): Promise<number[]> {
  return Promise.all(['reviews-v1-1', 'reviews-v2-1', 'reviews-v3-1'].map((name) => world.requestsHandledBy(name)));
}

export const headerRouting: Step = {
  id: '3',
  title: 'Header routing: jason to reviews v2, everybody else v1',
  async run(world) {
    await world.apply('reviews.yaml', YAML);
    const jason = await many(100, 4, () => world.load.fetch('http://reviews:9080/plain', { headers: { 'end-user': 'jason' } }));
    const others = await many(100, 4, () => world.load.fetch('http://reviews:9080/plain'));
    await world.instance('reviews-v2-1').order({ failPercent: 100, failStatus: 500 });
    const before = await handled(world);
    const retried = await many(10, 2, () => world.load.fetch('http://reviews:9080/plain', { headers: { 'end-user': 'jason' } }));
    const after = await handled(world);
    await world.instance('reviews-v2-1').order({ failPercent: 0 });
    const [v1, v2, v3] = after.map((count, index) => count - before[index]!);
    const jasonServers = countBy(jason, (answer) => `${answer.status} ${answer.servedBy}`);
    const otherServers = countBy(others, (answer) => `${answer.status} ${answer.servedBy}`);
    return [
      check('end-user: jason is served by v2', jasonServers['200 reviews-v2-1'] === 100, formatCounts(jasonServers)),
      check('everybody else by v1', otherServers['200 reviews-v1-1'] === 100, formatCounts(otherServers)),
      check(
        '10 failing calls of jason with 2 retries each: 30 attempts, all on v2',
        v1 === 0 && v2 === 30 && v3 === 0 && retried.every((answer) => answer.status === 500),
        `attempts v1 ${v1}, v2 ${v2}, v3 ${v3}; answers ${formatCounts(countBy(retried, (answer) => `${answer.status}`))}`,
      ),
    ];
  },
};
