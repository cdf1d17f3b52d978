import { check } from '../report.ts';
import { type Answer, Background, countBy, failed, formatCounts, many, sleep } from '../traffic.ts';
import type { Step } from './step.ts';

const weights = (v1: number, v2: number): string => `apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: productpage-vs
  namespace: default
spec:
  hosts:
  - productpage.default.svc.cluster.local
  http:
  - route:
    - destination:
        host: productpage.default.svc.cluster.local
        subset: v1
      weight: ${v1}
    - destination:
        host: productpage.default.svc.cluster.local
        subset: v2
      weight: ${v2}
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: productpage-dr
  namespace: default
spec:
  host: productpage.default.svc.cluster.local
  subsets:
  - name: v1
    labels: { version: v1 }
  - name: v2
    labels: { version: v2 }
`;

const shareOfV2 = (answers: readonly Answer[]): number =>
  (100 * answers.filter((answer) => answer.servedBy.startsWith('productpage-v2')).length) / Math.max(1, answers.length);

export const weightedSplit: Step = {
  id: '2',
  title: 'Weights 90/10, edited to 50/50 under load',
  async run(world) {
    const call = (): Promise<Response> => world.load.fetch('http://productpage:9080/whoami');
    await world.apply('productpage.yaml', weights(90, 10));
    const before = await many(4000, 16, call);
    const share = shareOfV2(before);
    world.report.progress('saving weights 50/50 under load');
    const load = new Background(call, 500, 8);
    await sleep(300);
    world.save('productpage.yaml', weights(50, 50));
    await sleep(1000);
    const settledAt = load.answers.length;
    await sleep(2000);
    const during = await load.stop();
    const after = shareOfV2(during.slice(settledAt));
    const failures = [...failed(before), ...failed(during)];
    return [
      check('v2 takes 10 % ± 2 % of 4,000 requests', before.length === 4000 && Math.abs(share - 10) <= 2, `${share.toFixed(2)} %`),
      check(
        '1 s after the save v2 takes 50 % ± 6 %',
        during.length - settledAt > 300 && Math.abs(after - 50) <= 6,
        `${after.toFixed(1)} % of ${during.length - settledAt} requests`,
      ),
      check('0 failed requests', failures.length === 0, formatCounts(countBy([...before, ...during], (answer) => `${answer.status}`))),
    ];
  },
};
