import { check } from '../report.ts';
import { countBy, formatCounts, many, once, until } from '../traffic.ts';
import type { Step } from './step.ts';

const DENY_ALL = `apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: deny-all
  namespace: default
spec:
  action: DENY
  rules:
  - {}
`;

const ALLOW_ANY = `apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: allow-any
  namespace: default
spec:
  action: ALLOW
  rules:
  - {}
`;

const ALLOW_PRODUCTPAGE = `apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: allow-nothing
  namespace: default
spec: {}
---
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: allow-productpage
  namespace: default
spec:
  action: ALLOW
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/default/sa/productpage"]
`;

export const authorization: Step = {
  id: '7',
  title: 'Authorization: DENY wins, then ALLOW by identity',
  async run(world) {
    const asProductpage = (): Promise<Response> => world.productpage.fetch('http://details:9080/details/0');
    const asLoad = (): Promise<Response> => world.load.fetch('http://details:9080/details/0');
    const denied = (status: number, body: string): boolean => status === 403 && body === 'RBAC: access denied';

    await world.apply('deny-all.yaml', DENY_ALL);
    const all = [...(await many(20, 4, asProductpage)), ...(await many(20, 4, asLoad))];
    await world.apply('allow-any.yaml', ALLOW_ANY);
    const still = await many(20, 4, asProductpage);
    const said = await until(() => world.controlPlane.output().includes('RIPSTOP_DENY_OVER_ALLOW'), 2000);
    const analysis =
      world.controlPlane
        .output()
        .split('\n')
        .findLast((line) => line.includes('RIPSTOP_DENY_OVER_ALLOW')) ?? 'nothing';
    await world.remove('deny-all.yaml', 'allow-any.yaml');
    await world.apply('allow-productpage.yaml', ALLOW_PRODUCTPAGE);
    const friend = await many(20, 4, asProductpage);
    const stranger = await many(20, 4, asLoad);
    await world.remove('allow-productpage.yaml');
    const open = await once(asLoad);
    const format = (answers: typeof all): string =>
      formatCounts(countBy(answers, (answer) => `${answer.status} ${answer.status === 200 ? '' : answer.body}`.trim()));
    return [
      check(
        'deny-all: every call 403 RBAC: access denied',
        all.every((answer) => denied(answer.status, answer.body)),
        format(all),
      ),
      check(
        'an ALLOW beside it opens nothing',
        still.every((answer) => denied(answer.status, answer.body)),
        format(still),
      ),
      check("the control plane's analysis says so", said !== undefined, analysis.trim()),
      check(
        'ALLOW nothing plus ALLOW productpage: productpage 200',
        friend.every((answer) => answer.status === 200),
        format(friend),
      ),
      check(
        'others 403',
        stranger.every((answer) => denied(answer.status, answer.body)),
        format(stranger),
      ),
      check('policies removed: open again', open.status === 200, `${open.status}`),
    ];
  },
};
