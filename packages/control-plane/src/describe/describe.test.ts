import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { PushContext } from '../push/push-context.ts';
import { ObjectStore } from '../source/object-store.ts';
import { secretYaml, testAuthority } from '../testing/certificates.ts';
import { instance, pushOf, service } from '../testing/mesh.ts';
import { describeServiceNamed, describeWorkloadNamed } from './describe.ts';
import { describeSecrets } from './describe-secrets.ts';
import { templateWorkloads } from './told-workloads.ts';

const RULES = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: split, namespace: default }
spec:
  hosts: [reviews]
  http:
    - match: [{ uri: { prefix: /api }, headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: reviews, subset: v2, port: { number: 80 } } }]
      timeout: 2s
    - route: [{ destination: { host: reviews, subset: v1 }, weight: 80 }, { destination: { host: ratings }, weight: 20 }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: younger, namespace: default }
spec: { hosts: [reviews.default.svc.cluster.local], http: [{ redirect: { uri: /b } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: outside, namespace: default }
spec: { hosts: [shop.example.com], gateways: [edge], http: [{ match: [{ uri: { exact: /r } }], route: [{ destination: { host: reviews } }] }, { route: [{ destination: { host: ratings } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: anything, namespace: default }
spec: { hosts: ["*"], gateways: [edge], http: [{ route: [{ destination: { host: ratings } }] }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec: { host: reviews, trafficPolicy: { tls: { mode: ISTIO_MUTUAL }, outlierDetection: {} }, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: default }
spec: { selector: { matchLabels: { app: reviews } }, mtls: { mode: STRICT }, portLevelMtls: { 8080: { mode: DISABLE } } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: readers, namespace: default }
spec: { rules: [{ to: [{ operation: { methods: [GET] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: trial, namespace: istio-system, annotations: { istio.io/dry-run: "true" } }
spec: { action: DENY, selector: { matchLabels: { app: reviews } }, rules: [{}] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: others, namespace: default }
spec: { selector: { matchLabels: { app: ratings } } }
`;

const { objects, findings } = new ObjectStore().update([{ name: 'mesh.yml', text: service('reviews') + service('ratings') + RULES }])!;
const push = new PushContext({
  objects,
  workloads: [instance('reviews', '10.0.0.1'), instance('reviews', '10.0.0.2'), instance('ratings', '10.0.0.3')],
});

describe('a service', () => {
  const reviews = describeServiceNamed('reviews', push, findings);

  it('is told with its ports, its rule and how many endpoints each subset has', () => {
    expect(reviews).toMatchObject({
      kind: 'Service',
      name: 'default/reviews',
      at: 'mesh.yml:2',
      host: 'reviews.default.svc.cluster.local',
    });
    expect(reviews.ports).toEqual([{ port: 80, name: 'http', protocol: 'HTTP', targetPort: 80, endpoints: 2 }]);
    expect(reviews.destinationRule).toMatchObject({ name: 'default/reviews', settings: ['tls', 'outlierDetection'], tls: 'ISTIO_MUTUAL' });
    expect(reviews.destinationRule!.subsets.map(({ name, endpoints }) => `${name} ${endpoints}`)).toEqual(['v1 2', 'v2 0']);
  });

  it('is told with the routes that decide about it, and those that would if no other did', () => {
    expect(reviews.virtualServices.map(({ name, gateways, used, routes }) => ({ name, gateways, used, routes }))).toEqual([
      { name: 'default/outside', gateways: ['default/edge'], used: true, routes: ['uri = /r → reviews.default.svc.cluster.local'] },
      {
        name: 'default/split',
        gateways: ['mesh'],
        used: true,
        routes: [
          'uri prefix /api, header end-user = jason → reviews.default.svc.cluster.local v2:80; timeout 2s',
          'any request → reviews.default.svc.cluster.local v1 (80 %), ratings.default.svc.cluster.local (20 %)',
        ],
      },
      { name: 'default/younger', gateways: ['mesh'], used: false, routes: ['any request → redirect'] },
    ]);
  });

  it('is told with its workloads: mTLS, and policies in the order in which they judge', () => {
    expect(reviews.workloads.map(({ name }) => name)).toEqual(['reviews-10.0.0.1.default', 'reviews-10.0.0.2.default']);
    const [first] = reviews.workloads;
    expect(first!.mtls).toEqual({
      mode: 'STRICT',
      ports: { 8080: 'DISABLE' },
      from: [{ kind: 'PeerAuthentication', name: 'default/strict', at: expect.stringMatching(/^mesh\.yml:\d+$/) }],
    });
    expect(first!.policies.map(({ name, action, dryRun }) => `${action} ${name} ${dryRun}`)).toEqual([
      'DENY istio-system/trial true',
      'ALLOW default/readers false',
    ]);
  });

  it('is told with what is wrong about these documents, and no others', () => {
    const codes = new Set(reviews.findings.map(({ code, object }) => `${code} ${object}`));
    expect(codes).toContain('IST0109 VirtualService default/younger');
    expect([...codes].filter((text) => text.includes('others'))).toEqual([]);
  });

  it('is found by name, name.namespace and host; else those that there are are named', () => {
    for (const name of ['reviews.default', 'reviews.default.svc.cluster.local'])
      expect(describeServiceNamed(name, push, findings).host).toBe(reviews.host);
    expect(() => describeServiceNamed('nobody', push, findings)).toThrow(
      'there is no service nobody; services are: ratings.default.svc.cluster.local, reviews.default.svc.cluster.local',
    );
  });
});

describe('a workload', () => {
  it('is told with the services that select it', () => {
    const ratings = describeWorkloadNamed('ratings-10.0.0.3.default', push, findings);
    expect(ratings.services.map(({ name }) => name)).toEqual(['default/ratings']);
    expect(ratings.mtls).toEqual({ mode: 'PERMISSIVE', ports: {}, from: [] });
    expect(ratings.policies.map(({ name }) => name)).toEqual(['default/others', 'default/readers']);
    expect(describeWorkloadNamed('ratings', push, findings).name).toBe(ratings.name);
    expect(() => describeWorkloadNamed('nobody', push, findings)).toThrow(
      'there is no workload nobody; workloads are: ratings-10.0.0.3.default, ',
    );
  });
});

describe('secrets of a gateway', () => {
  const ca = testAuthority();
  const shop = ca.issue({ dns: ['shop.example.com'] });
  const server = (name: string, port: number, mode: string): string =>
    `{ port: { number: ${port}, name: p${port}, protocol: HTTPS }, hosts: [${name}.example.com], tls: { mode: ${mode}, credentialName: ${name} } }`;
  const yaml = `${secretYaml('shop', 'edge', { 'tls.crt': shop.certificate, 'tls.key': shop.key, 'ca.crt': ca.root })}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: g, namespace: edge }
spec: { selector: { istio: ingressgateway }, servers: [${server('shop', 443, 'MUTUAL')}, ${server('gone', 8443, 'SIMPLE')}] }
`;
  const edge = proxyNodeOf({ id: 'router~10.0.0.1~edge-1.edge~edge.svc.cluster.local', metadata: { LABELS: { istio: 'ingressgateway' } } });

  it('are told by what is public, and as missing where the gateway gets none', () => {
    const told = describeSecrets({ ...edge, verified: true }, pushOf(yaml), Date.now());
    expect(told.map(({ name, type, status, certificates }) => [name, type, status, certificates.map(({ valid }) => valid)])).toEqual([
      ['kubernetes://gone', 'Cert Chain', 'MISSING', []],
      ['kubernetes://shop', 'Cert Chain', 'ACTIVE', [true]],
      ['kubernetes://shop-cacert', 'CA', 'ACTIVE', [true]],
    ]);
    expect(told[1]!.certificates[0]).toMatchObject({ names: 'DNS:shop.example.com' });
    expect(JSON.stringify(told)).not.toContain('BEGIN');
    expect(describeSecrets({ ...edge, verified: true }, pushOf(yaml), 0)[1]!.certificates[0]!.valid).toBe(false);
  });

  it('are all missing for a client whose identity is not verified', () => {
    expect(describeSecrets(edge, pushOf(yaml), Date.now()).map(({ status }) => status)).toEqual(['MISSING', 'MISSING', 'MISSING']);
  });
});

describe('a folder of Deployments', () => {
  it('has the workloads that their templates will start, with the policies for them', () => {
    const { objects: folder } = new ObjectStore().update([
      {
        name: 'mesh.yml',
        text: `${service('web')}---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web-v1, namespace: default }
spec: { template: { metadata: { labels: { app: web, version: v1 } } } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: closed, namespace: default }
spec: { selector: { matchLabels: { version: v1 } } }
`,
      },
    ])!;
    const push = new PushContext({ objects: folder, workloads: templateWorkloads(folder) });
    const described = describeServiceNamed('web', push, []);
    expect(described.workloads).toMatchObject([
      { name: 'web-v1.default', address: '(Deployment)', labels: { app: 'web', version: 'v1' }, policies: [{ name: 'default/closed' }] },
    ]);
    expect(described.ports[0]!.endpoints).toBe(0);
  });
});
