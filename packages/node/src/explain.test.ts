import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createMesh, decisionOf, type Mesh } from './index.ts';

const yaml = (port: number): string => `apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: reviews-1 }
spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: reviews, version: v1 } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: reviews-2 }
spec: { address: 127.0.0.2, ports: { http: ${port} }, labels: { app: reviews, version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }, { name: v3, labels: { version: v3 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - name: jason
      match: [{ headers: { end-user: { exact: jason } } }]
      fault: { delay: { percentage: { value: 100 }, fixedDelay: 3600s } }
      route: [{ destination: { host: reviews, subset: v3 } }]
    - name: broken
      match: [{ uri: { prefix: /broken } }]
      fault: { abort: { percentage: { value: 100 }, httpStatus: 418 } }
      route: [{ destination: { host: reviews, subset: v1 } }]
    - timeout: 3s
      retries: { attempts: 2, retryOn: 5xx, perTryTimeout: 1s }
      route:
        - { destination: { host: reviews, subset: v1 }, weight: 90 }
        - { destination: { host: reviews, subset: v2 }, weight: 10 }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: istio-system }
spec: { mtls: { mode: PERMISSIVE } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-admin }
spec:
  selector: { matchLabels: { app: reviews } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/admin] } }] }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: shop-only }
spec:
  selector: { matchLabels: { app: reviews } }
  rules: [{ from: [{ source: { namespaces: [shop] } }] }, { to: [{ operation: { paths: [/open] } }] }]
`;

describe('explain', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-explain-'));
  let reviews: Mesh;
  let caller: Mesh;

  beforeAll(async () => {
    writeFileSync(join(dir, 'mesh.yaml'), yaml(1));
    const config = `file:${dir}`;
    reviews = createMesh({ service: 'reviews', config, admin: '127.0.0.1:0', decisions: { sample: 1 } });
    const { port } = await reviews.listen((_request, response) => response.end('ok'), 9080, { bindPort: 0 });
    writeFileSync(join(dir, 'mesh.yaml'), yaml(port));
    caller = createMesh({ service: 'caller', config, admin: 'off', decisions: {} });
    await caller.ready();
    await vi.waitFor(async () => expect(await (await caller.fetch('http://reviews:9080/open')).text()).toBe('ok'), { timeout: 5000 });
  });
  afterAll(async () => {
    await Promise.all([reviews.close({ drainMs: 0 }), caller.close({ drainMs: 0 })]);
    rmSync(dir, { recursive: true });
  });

  it('says which routes missed and by what, which was taken, and what governs it, with file and line', async () => {
    const text = String(await caller.explain({ url: 'http://reviews:9080/x' }));
    expect(text).toContain('[0] "jason" missed: header end-user is "jason"; the request has no header end-user');
    expect(text).toContain('[1] "broken" missed: path begins with "/broken"; the request has /x');
    expect(text).toMatch(/\[2\] matched: any path {2}VirtualService default\/reviews \(.*mesh\.yaml:35\)/);
    expect(text).toMatch(/drawn with weight (90|10) of 100/);
    expect(text).toContain('3000 ms for the whole request, 1000 ms per attempt');
    expect(text).toContain('up to 2 on 5xx');
    expect(text).toMatch(/127\.0\.0\.[12]:\d+, reviews-[12]\.default, plaintext/);
  });

  it('answers as an attempt would be answered when no endpoint can be picked', async () => {
    const { verdict, decisions } = await caller.explain({ url: 'http://reviews:9080/x', headers: { 'end-user': 'jason' } });
    expect(verdict).toMatchObject({ kind: 'reply', status: 503, flags: 'UH', details: 'no_healthy_upstream' });
    expect(decisions.map(({ text }) => text)).toContain('0 of 0 can be picked');
  });

  it('waits for no delay, and answers what every request is answered', async () => {
    const jason = await caller.explain({ url: 'http://reviews:9080/x', headers: { 'End-User': 'jason' } });
    expect(jason.decisions.map(({ text }) => text)).toContain('fault: a delay of 3600000 ms for 100 % of requests');
    const { verdict } = await caller.explain({ url: 'http://reviews:9080/broken' });
    expect(verdict).toMatchObject({ kind: 'reply', status: 418, flags: 'FI', details: 'fault_filter_abort' });
  });

  it('says what the policies of this service do with a caller, and in which line they stand', async () => {
    const denied = await reviews.explain({ url: 'http://reviews:9080/admin', from: 'shop/web' });
    expect(denied.verdict).toMatchObject({ kind: 'reply', status: 403, body: 'RBAC: access denied' });
    expect(String(denied)).toMatch(/authorization: DENY by rule 0: denied {2}AuthorizationPolicy default\/no-admin \(.*mesh\.yaml:46\)/);
    const stranger = await reviews.explain({ url: 'http://reviews:9080/x', from: 'anonymous' });
    expect(String(stranger)).toContain('authorization: no ALLOW policy matches: denied');
    const friend = await reviews.explain({ url: 'http://reviews:9080/x', from: 'shop/web' });
    expect(friend.verdict).toEqual({ kind: 'serve' });
    expect(String(friend)).toMatch(/authorization: ALLOW by rule 0: goes on {2}AuthorizationPolicy default\/shop-only/);
  });

  it("reads paths as the app's router does", async () => {
    expect((await reviews.explain({ url: 'http://reviews:9080/ADMIN/', from: 'shop/web' })).verdict).toEqual({ kind: 'serve' });
    const config = `file:${dir}`;
    const bound = createMesh({ service: 'reviews', config, admin: 'off' });
    const router = { ignoreCase: true, ignoreTrailingSlash: true };
    await bound.listen((_request, response) => response.end(), 9080, { bindPort: 0, router });
    const { verdict } = await bound.explain({ url: 'http://reviews:9080/ADMIN/', from: 'shop/web' });
    expect(verdict).toMatchObject({ kind: 'reply', status: 403 });
    await bound.close({ drainMs: 0 });
  });

  it('refuses a caller and a URL that are none', async () => {
    await expect(caller.explain({ url: 'reviews' })).rejects.toMatchObject({ code: 'RIPSTOP_BAD_QUESTION' });
    await expect(reviews.explain({ url: 'http://reviews/', from: 'web' })).rejects.toThrow(/give namespace\/serviceaccount/);
  });

  it('keeps the record of a request that asks, with its attempt and its end', async () => {
    const asked = async (): Promise<Response> => {
      const answer = await caller.fetch('http://reviews:9080/open', { headers: { 'x-ripstop-explain': '1' } });
      await answer.text();
      return answer;
    };
    let response = await asked();
    // Nobody serves v2, which one of ten calls is drawn for.
    for (let calls = 1; response.status !== 200 && calls < 20; calls++) response = await asked();
    // The app has its last byte before the exchange is over.
    await vi.waitFor(() => expect(String(decisionOf(response))).toMatch(/result +200, flags -, via_upstream/));
    const text = String(decisionOf(response));
    expect(text).toMatch(/endpoint +1 of 1 can be picked/);
    expect(text).toMatch(/127\.0\.0\.[12]:\d+, attempt 1, plaintext/);
    expect(decisionOf(await caller.fetch('http://reviews:9080/open'))).toBeUndefined();
  });

  it('shows the records at the admin address, and tells a caller that may not ask nothing', async () => {
    const response = await caller.fetch('http://reviews:9080/open', { headers: { 'x-ripstop-explain': '1' } });
    expect(response.headers.get('x-ripstop-decision')).toMatch(/^[^,]+$/); // the caller's own alone
    const records = (await (await fetch(`http://${reviews.adminAddress}/decisions`)).json()) as { id: string; decisions: unknown[] }[];
    const [latest] = records;
    expect(latest!.decisions.length).toBeGreaterThan(3);
    expect(await (await fetch(`http://${reviews.adminAddress}/decisions?id=${encodeURIComponent(latest!.id)}`)).json()).toEqual(latest);
  });
});
