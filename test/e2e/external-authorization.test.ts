import { createVirtualMesh } from '@ripstop/testing';
import { describe, expect, it } from 'vitest';

const service = (name: string, port: number): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: ${port}, targetPort: ${port} }] }
`;
const YAML = [
  service('shop', 80),
  service('authz', 8000),
  `extensionProviders:
- name: authorizer
  envoyExtAuthzHttp:
    service: authz.default.svc.cluster.local
    port: 8000
    timeout: 1s
    includeRequestHeadersInCheck: [x-badge]
    headersToUpstreamOnAllow: [x-user]
`,
  `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask, namespace: default }
spec: { selector: { matchLabels: { app: shop } }, action: CUSTOM, provider: { name: authorizer }, rules: [{ to: [{ operation: { paths: [/cart] } }] }] }
`,
  `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: default }
spec: { mtls: { mode: STRICT } }
`,
].join('---\n');

describe('an authorizer that is a service of the mesh', () => {
  it('is asked with the certificate of the service that asks, balanced and timed as any call', async () => {
    const asked: (string | undefined)[] = [];
    let silent = false;
    await using mesh = await createVirtualMesh({
      yaml: YAML,
      services: {
        caller: {},
        shop: { app: (request, response) => response.end(`for ${request.headers['x-user'] ?? 'nobody'}`) },
        authz: {
          port: 8000,
          app: (request, response) => {
            asked.push(/URI=([^;,]+)/.exec(String(request.headers['x-forwarded-client-cert']))?.[1]);
            if (silent) return;
            const badge = request.headers['x-badge'];
            response.writeHead(badge === undefined ? 401 : 200, badge === undefined ? {} : { 'x-user': String(badge) });
            response.end(badge === undefined ? 'who are you?' : '');
          },
        },
      },
    });
    const call = async (path: string, headers: Record<string, string> = {}): Promise<string> => {
      const answer = await mesh.until(mesh.member('caller').fetch(`http://shop${path}`, { headers }));
      return `${answer.status} ${await mesh.until(answer.text())}`;
    };
    expect(await call('/')).toBe('200 for nobody');
    expect(asked).toEqual([]);
    expect(await call('/cart')).toBe('401 who are you?');
    expect(await call('/cart', { 'x-badge': 'ann' })).toBe('200 for ann');
    expect(asked).toEqual(['spiffe://cluster.local/ns/default/sa/shop', 'spiffe://cluster.local/ns/default/sa/shop']);
    silent = true;
    const before = mesh.clock.now();
    expect(await call('/cart', { 'x-badge': 'ann' })).toBe('403 ');
    expect(mesh.clock.now() - before).toBe(1000);
    await mesh.member('authz').close({ drainMs: 0 });
    expect(await call('/cart', { 'x-badge': 'ann' })).toBe('403 ');
  });
});
