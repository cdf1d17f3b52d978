import { describe, expect, it } from 'vitest';
import { pushOf, service, sidecar } from '../testing/mesh.ts';

const SERVICES = service('web') + service('cart') + service('pay', { namespace: 'shop' }) + service('log', { namespace: 'lib', port: 81 });
const scoped = (name: string, spec: string, namespace = 'default'): string => `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
`;

function told(yaml: string, namespace = 'default', labels: Readonly<Record<string, string>> = {}): string {
  const { services } = pushOf(SERVICES + yaml).scopeFor(sidecar('web-1', namespace, { LABELS: labels }));
  return services.map(({ name }) => name).join(' ');
}

describe('what a workload is told about', () => {
  it.each([
    ['everything, without a Sidecar', '', 'cart log pay web'],
    ['its own namespace', scoped('d', '{ egress: [{ hosts: ["./*"] }] }'), 'cart web'],
    ['one host of another namespace', scoped('d', '{ egress: [{ hosts: ["shop/pay.shop.svc.cluster.local"] }] }'), 'pay'],
    ['a host of any namespace', scoped('d', '{ egress: [{ hosts: ["*/log.lib.svc.cluster.local", "./*"] }] }'), 'cart log web'],
    ['nothing', scoped('d', '{ egress: [{ hosts: ["~/*"] }] }'), ''],
    ["what the root namespace's Sidecar says", scoped('d', '{ egress: [{ hosts: ["lib/*"] }] }', 'istio-system'), 'log'],
    [
      "its namespace's Sidecar rather than the root's",
      scoped('d', '{ egress: [{ hosts: ["lib/*"] }] }', 'istio-system') + scoped('d', '{ egress: [{ hosts: ["shop/*"] }] }'),
      'pay',
    ],
    ['services that have the port of the egress listener', scoped('d', '{ egress: [{ port: { number: 81 }, hosts: ["*/*"] }] }'), 'log'],
    ["not what another namespace's Sidecar says", scoped('d', '{ egress: [{ hosts: ["~/*"] }] }', 'shop'), 'cart log pay web'],
  ])('is %s', (_what, yaml, expected) => {
    expect(told(yaml)).toBe(expected);
  });

  it('is what the Sidecar with its labels says, before the one for all', () => {
    const yaml =
      scoped('all', '{ egress: [{ hosts: ["./*"] }] }') +
      scoped('web', '{ workloadSelector: { labels: { app: web } }, egress: [{ hosts: ["lib/*"] }] }');
    expect(told(yaml, 'default', { app: 'web' })).toBe('log');
    expect(told(yaml, 'default', { app: 'cart' })).toBe('cart web');
  });

  it('holds the clusters that a rule in scope leads to, but not their hosts', () => {
    const push = pushOf(`${SERVICES + scoped('d', '{ egress: [{ hosts: ["./*"] }] }')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart }
spec: { hosts: [cart], http: [{ route: [{ destination: { host: pay.shop.svc.cluster.local } }] }] }
`);
    const scope = push.scopeFor(sidecar());
    expect(scope.at(80).services.map(({ name }) => name)).toEqual(['cart', 'web']);
    expect(scope.services.map(({ name }) => name)).toEqual(['cart', 'pay', 'web']);
  });

  it.each([
    ['2026-01-01', '2026-01-02', []],
    ['2026-01-02', '2026-01-01', ['www.example.com']],
  ])('is not led to a host whose oldest ServiceEntry of its namespace is hidden (hidden %s, open %s)', (hidden, open, hosts) => {
    const entry = (name: string, day: string, rest: string): string => `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: shop, creationTimestamp: ${day}T00:00:00Z }
spec: { hosts: [www.example.com], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS${rest} }
`;
    const push = pushOf(`${SERVICES + scoped('d', '{ egress: [{ hosts: ["./*"] }] }')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart }
spec: { hosts: [cart], http: [{ route: [{ destination: { host: www.example.com } }] }] }
${entry('hidden', hidden, ', exportTo: ["."]')}${entry('open', open, '')}`);
    const led = push.scopeFor(sidecar()).services.flatMap(({ hostname }) => (hostname.includes('example') ? [hostname] : []));
    expect(led).toEqual(hosts);
  });

  it.each([
    ['', 'ALLOW_ANY', true],
    ['', 'REGISTRY_ONLY', false],
    ['{ outboundTrafficPolicy: { mode: REGISTRY_ONLY } }', 'ALLOW_ANY', false],
    ['{ outboundTrafficPolicy: { mode: ALLOW_ANY } }', 'REGISTRY_ONLY', true],
    ['{ egress: [{ hosts: ["./*"] }] }', 'REGISTRY_ONLY', false],
  ])('with Sidecar %j in a mesh of %s lets unknown hosts pass: %j', (spec, mode, expected) => {
    const mesh = `---\napiVersion: v1\nkind: Namespace\nmetadata: { name: default }\n`;
    const push = pushOf(mesh + (spec === '' ? '' : scoped('d', spec)), [], { outboundTrafficPolicy: { mode } });
    expect(push.scopeFor(sidecar()).allowAny).toBe(expected);
  });
});
