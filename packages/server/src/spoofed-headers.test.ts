import type { IncomingHttpHeaders } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type ClientTls, RawClient } from './testing/raw-client.ts';
import { chainsOf, type ManagerSettings, ServerDouble } from './testing/server-double.ts';
import { TestAuthority, TestIdentity } from './testing/test-authority.ts';

const CALLER = 'spiffe://cluster.local/ns/default/sa/caller';
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

/** The headers that an app sees. */
async function seen(headers: readonly string[], manager: ManagerSettings = {}, secure = false): Promise<IncomingHttpHeaders> {
  const authority = new TestAuthority();
  const identity = new TestIdentity(authority, 'spiffe://cluster.local/ns/default/sa/server');
  const double = await ServerDouble.start((request, response) => response.end(JSON.stringify(request.headers)), {
    chains: chainsOf('PERMISSIVE', { manager }),
    identity,
  });
  cleanups.push(() => double[Symbol.asyncDispose]());
  const tls: ClientTls | undefined = secure ? { ...authority.issue({ uris: [CALLER] }), ALPNProtocols: ['istio'] } : undefined;
  const client = await RawClient.open(double.port, tls);
  cleanups.push(() => client.close());
  return JSON.parse((await client.get('/', headers.map((line) => `${line}\r\n`).join(''))).body);
}

const INTERNAL = ['internal', 'retry-on', 'max-retries', 'upstream-rq-timeout-ms', 'force-trace', 'ip-tags', 'expected-rq-timeout-ms'];
const MESH = ['original-path', 'original-host', 'attempt-count', 'fault-abort-request', 'peer-metadata', 'decorator-operation'];

describe('headers that a caller forges', () => {
  it.each([false, true])('x-envoy-* (mTLS: %s)', async (secure) => {
    const lines = [...INTERNAL, ...MESH, 'unknown'].map((name) => `x-envoy-${name}: 1`);
    const names = Object.keys(await seen(lines, {}, secure)).filter((name) => name.startsWith('x-envoy-'));
    expect(names).toEqual((secure ? [...MESH, 'unknown'] : ['unknown']).map((name) => `x-envoy-${name}`));
  });

  it('x-istio-attributes, and names that are read as such headers', async () => {
    const lines = ['x-istio-attributes: 1', 'x_istio_attributes: 1', 'X_Forwarded_Client_Cert: 1', 'x-envoy_internal: 1', 'my_header: 1'];
    const headers = await seen(lines);
    expect(Object.keys(headers).filter((name) => /istio|cert|internal|my/.test(name))).toEqual(['my_header']);
  });

  it('x-ripstop-explain: a gateway does not ask the mesh in the name of a stranger', async () => {
    expect((await seen(['x-ripstop-explain: 1']))['x-ripstop-explain']).toBeUndefined();
    expect((await seen(['x-ripstop-explain: 1'], {}, true))['x-ripstop-explain']).toBe('1');
  });

  it('x-forwarded-client-cert', async () => {
    const forged = 'x-forwarded-client-cert: URI=spiffe://cluster.local/ns/default/sa/admin';
    const own = expect.stringMatching(
      /^By=spiffe:\/\/cluster\.local\/ns\/default\/sa\/server;Hash=[0-9a-f]{64};Subject="";URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/caller$/,
    );
    const xfcc = async (...args: Parameters<typeof seen>): Promise<unknown> => (await seen(...args))['x-forwarded-client-cert'];
    expect(await xfcc([forged])).toBeUndefined();
    expect(await xfcc([], {}, true)).toEqual(own);
    expect(await xfcc([forged], { forwardClientCert: 'SANITIZE_SET' }, true)).toEqual(own);
    expect(await xfcc([forged], { forwardClientCert: 'SANITIZE' }, true)).toBeUndefined();
    expect(await xfcc([forged, 'x-forwarded-client-cert: b'], {}, true)).toMatch(/^URI=[^,]*\/admin,b,By=/);
    expect(await xfcc([forged], { forwardClientCert: 'ALWAYS_FORWARD_ONLY' })).toBe(forged.slice(25));
  });

  it.each<[string, number, readonly string[], string, string]>([
    ['no proxy', 0, ['1.1.1.1'], '1.1.1.1,127.0.0.1', '127.0.0.1'],
    ['one proxy', 1, ['1.1.1.1', '2.2.2.2'], '1.1.1.1,2.2.2.2,127.0.0.1', '2.2.2.2'],
    ['two proxies', 2, ['1.1.1.1, 2.2.2.2'], '1.1.1.1, 2.2.2.2,127.0.0.1', '1.1.1.1'],
    ['two proxies of which one wrote', 2, ['1.1.1.1'], '1.1.1.1,127.0.0.1', '127.0.0.1'],
    ['a proxy that wrote garbage', 1, ['1.1.1.1, evil'], '1.1.1.1, evil,127.0.0.1', '127.0.0.1'],
  ])('x-forwarded-for at an edge behind %s', async (_what, hops, values, forwardedFor, external) => {
    const lines = [...values.map((value) => `x-forwarded-for: ${value}`), 'x-forwarded-proto: https', 'x-request-id: mine'];
    const headers = await seen(lines, { useRemoteAddress: true, xffTrustedHops: hops });
    expect(headers['x-forwarded-for']).toBe(forwardedFor);
    expect(headers['x-envoy-external-address']).toBe(external);
    expect(headers['x-forwarded-proto']).toBe(hops === 0 ? 'http' : 'https');
    expect(headers['x-request-id']).not.toBe('mine');
  });

  it('x-forwarded-for and x-request-id in the mesh stay', async () => {
    const headers = await seen(['x-forwarded-for: 1.1.1.1', 'x-request-id: mine']);
    expect([headers['x-forwarded-for'], headers['x-request-id'], headers['x-forwarded-proto']]).toEqual(['1.1.1.1', 'mine', 'http']);
  });
});
