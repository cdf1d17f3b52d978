import {
  Exchange,
  type FilterEnv,
  type HttpConnectionManager,
  type LocalReply,
  NO_PEER,
  type RequestHead,
  type Snapshot,
  type UpstreamAnswer,
  type UpstreamHttpCall,
} from '@ripstop/core';
import { ExtAuthz, ExtAuthzPerRoute, fromProtoJson } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { extAuthz } from './ext-authz.ts';

const HTTP = { server_uri: { uri: 'http://authz', cluster: 'authz', timeout: '1s' } };
const decode = (config: object) => extAuthz.decode(ExtAuthz.encode(fromProtoJson(ExtAuthz, config)).finish());
const decodeOverride = (config: object) =>
  extAuthz.decodeOverride!(ExtAuthzPerRoute.encode(fromProtoJson(ExtAuthzPerRoute, config)).finish());
const patterns = (...exact: string[]) => ({ patterns: exact.map((one) => ({ exact: one })) });

interface Scene {
  readonly config?: object;
  readonly service?: object;
  readonly answer?: Partial<UpstreamAnswer> | 'down';
  readonly override?: object;
  readonly random?: number;
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** One request through the filter: what the authorizer was asked, and what became of the request. */
async function pass({ config = {}, service = {}, answer = {}, override, random = 0.5, metadata = {} }: Scene) {
  const asked: UpstreamHttpCall[] = [];
  const env: FilterEnv = {
    clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
    random: () => random,
    direction: 'inbound',
    state: (_key, create) => create(),
    calls: {
      http: async (call) => {
        asked.push(call);
        return answer === 'down' ? { failure: 'down' } : { status: 200, headers: [], body: new Uint8Array(), ...answer };
      },
      grpc: async () => ({ failure: 'not asked by gRPC' }),
    },
  };
  const lines = new Map([
    ['x-a', '1'],
    ['x-b', '2'],
    ['authorization', 'Basic x'],
  ]);
  const head = {
    scheme: 'http',
    authority: 'shop',
    method: 'POST',
    path: '/p?q=1',
    header: (name: string) => lines.get(name),
    pairs: () => [...lines].flat(),
    setHeader: (name: string, value: string) => void lines.set(name, value),
    appendHeader: (name: string, value: string) => void lines.set(name, `${lines.get(name)},${value}`),
    removeHeader: (name: string) => void lines.delete(name),
  } as unknown as RequestHead;
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request: head,
    snapshot: {} as Snapshot,
    manager: {} as HttpConnectionManager,
    peer: { ...NO_PEER, address: '10.0.0.1' },
    port: 80,
    startedAt: 0,
  });
  x.route = {} as never;
  x.metadata = new Map(Object.entries(metadata));
  x.body = { read: async (bytes) => ({ bytes: Buffer.from('abcdef').subarray(0, bytes), complete: true }) };
  const decoded = decode({ http_service: { ...HTTP, ...service }, ...config });
  const filter = extAuthz.create(decoded, override === undefined ? undefined : decodeOverride(override), env);
  const reply = (await filter?.onRequest?.(x)) as LocalReply | undefined;
  const written: [string, string][] = [];
  filter?.onResponse?.(x, {
    header: () => undefined,
    setHeader: (name: string, value: string) => void written.push([name, value]),
  } as never);
  const headers = Object.fromEntries(
    Array.from({ length: (asked[0]?.headers.length ?? 0) / 2 }, (_, at) => asked[0]!.headers.slice(2 * at, 2 * at + 2) as [string, string]),
  );
  return { call: asked[0], headers, reply, x, lines, written, filter };
}

describe('an HTTP authorizer', () => {
  it('is asked at its cluster, behind its prefix, within its time', async () => {
    expect((await pass({ service: { path_prefix: '/check' } })).call).toMatchObject({
      cluster: 'authz',
      path: '/check/p?q=1',
      timeoutMs: 1000,
    });
    const untimed = { server_uri: { uri: 'http://authz', cluster: 'authz' } };
    expect((await pass({ service: untimed })).call).toMatchObject({ timeoutMs: 200, path: '/p?q=1' });
  });

  it('is shown the headers that the filter allows, or else its service, and never those that are disallowed', async () => {
    const request = { allowed_headers: patterns('x-a') };
    const shown = async (scene: Scene): Promise<string[]> =>
      Object.keys((await pass(scene)).headers).filter((name) => /^x-[ab]|^auth/.test(name));
    expect(await shown({})).toEqual(['authorization']);
    expect(await shown({ service: { authorization_request: request } })).toEqual(['x-a', 'authorization']);
    expect(await shown({ service: { authorization_request: request }, config: { allowed_headers: patterns('x-b') } })).toEqual([
      'x-b',
      'authorization',
    ]);
    const disallowed = { allowed_headers: patterns('x-a', 'x-b'), disallowed_headers: patterns('authorization', 'x-b') };
    expect(await shown({ config: disallowed })).toEqual(['x-a']);
  });

  it('is told what the configuration adds', async () => {
    const headers_to_add = [{ key: 'X-Method', value: '%REQ(:METHOD)%' }];
    expect((await pass({ service: { authorization_request: { headers_to_add } } })).headers).toMatchObject({ 'x-method': 'POST' });
  });

  it('writes where it may', async () => {
    const answer: Scene['answer'] = {
      headers: [
        ['x-up', '1'],
        ['x-a', '2'],
        ['x-down', '3'],
        ['x-meta', '4'],
      ],
    };
    const authorization_response = {
      allowed_upstream_headers: patterns('x-up'),
      allowed_upstream_headers_to_append: patterns('x-a'),
      allowed_client_headers_on_success: patterns('x-down'),
      dynamic_metadata_from_headers: patterns('x-meta'),
    };
    const { lines, written, x } = await pass({ answer, service: { authorization_response } });
    expect([lines.get('x-up'), lines.get('x-a'), lines.has('x-down')]).toEqual(['1', '1,2', false]);
    expect(written).toEqual([['x-down', '3']]);
    expect(x.metadata?.get('envoy.filters.http.ext_authz')).toEqual({ 'x-meta': '4' });
    const none = await pass({ answer });
    expect([none.lines.has('x-up'), none.written]).toEqual([false, []]);
  });

  it('denies with the headers that its service allows', async () => {
    const answer: Scene['answer'] = {
      status: 401,
      headers: [
        ['x-down', '1'],
        ['x-other', '2'],
        ['location', '/l'],
      ],
    };
    const authorization_response = { allowed_client_headers: patterns('x-down') };
    expect((await pass({ answer, service: { authorization_response } })).reply).toMatchObject({
      status: 401,
      headers: [
        ['x-down', '1'],
        ['location', '/l'],
      ],
    });
    expect((await pass({ answer })).reply?.headers).toHaveLength(3);
  });

  it.each<[what: string, config: object, status: number | undefined]>([
    ['', {}, 403],
    ['with a status of its own', { status_on_error: { code: 503 } }, 503],
    ['where that lets pass', { failure_mode_allow: true }, undefined],
  ])('that is down refuses %s', async (_what, config, status) => {
    expect((await pass({ config, answer: 'down' })).reply?.status).toBe(status);
  });

  it('that is down may be told to the app', async () => {
    const config = { failure_mode_allow: true, failure_mode_allow_header_add: true };
    expect((await pass({ config, answer: 'down' })).lines.get('x-envoy-auth-failure-mode-allowed')).toBe('true');
    expect((await pass({ config: { failure_mode_allow: true }, answer: 'down' })).lines.has('x-envoy-auth-failure-mode-allowed')).toBe(
      false,
    );
  });

  it('is asked about a share of the requests, or about those with some metadata; the others pass or are denied', async () => {
    const half = { filter_enabled: { default_value: { numerator: 50, denominator: 'HUNDRED' } } };
    const asked = async (scene: Scene): Promise<boolean> => (await pass(scene)).call !== undefined;
    expect([await asked({ config: half, random: 0.49 }), await asked({ config: half, random: 0.5 })]).toEqual([true, false]);
    const marked = { filter_enabled_metadata: { filter: 'f', path: [{ key: 'a' }], value: { bool_match: true } } };
    expect([await asked({ config: marked, metadata: { f: { a: true } } }), await asked({ config: marked })]).toEqual([true, false]);
    const denying = { ...half, deny_at_disable: { default_value: true, runtime_key: 'x' } };
    expect([(await pass({ config: denying, random: 0.9 })).reply?.status, (await pass({ config: half, random: 0.9 })).reply]).toEqual([
      403,
      undefined,
    ]);
    expect(
      (await pass({ config: { ...half, deny_at_disable: { default_value: false, runtime_key: 'x' } }, random: 0.9 })).reply,
    ).toBeUndefined();
  });

  it('is shown the body that the filter or the route asks for, or none', async () => {
    const shown = async (scene: Scene): Promise<string | undefined> => {
      const { call, reply } = await pass(scene);
      return call?.body === undefined ? (reply === undefined ? undefined : String(reply.status)) : Buffer.from(call.body).toString();
    };
    const of = (max_request_bytes: number) => ({ with_request_body: { max_request_bytes, allow_partial_message: true } });
    expect(await shown({})).toBeUndefined();
    expect(await shown({ config: of(9) })).toBe('abcdef');
    expect(await shown({ config: of(9), override: { check_settings: of(8) } })).toBe('abcdef');
    expect(await shown({ override: { check_settings: of(9) } })).toBe('abcdef');
    expect(await shown({ config: of(9), override: { check_settings: { disable_request_body_buffering: true } } })).toBeUndefined();
    expect(await shown({ config: of(9), override: { check_settings: {} } })).toBe('abcdef');
  });

  it('is not asked where a route says so', async () => {
    expect((await pass({ override: { disabled: true } })).filter).toBeUndefined();
  });

  it.each<[service: object, why: string]>([
    [{ server_uri: { uri: 'http://authz', timeout: '1s' } }, 'server_uri names no cluster'],
    [{ server_uri: undefined }, 'server_uri names no cluster'],
    [{ path_prefix: 'x' }, 'path_prefix x must begin with /'],
  ])('that cannot be asked is refused: %j', async (service, why) => {
    await expect(pass({ service })).rejects.toThrow(why);
  });

  it.each([
    [{ typed_metadata_context_namespaces: ['a'] }, 'typed_metadata_context_namespaces'],
    [{ route_typed_metadata_context_namespaces: ['a'] }, 'route_typed_metadata_context_namespaces'],
    [{ bootstrap_metadata_labels_key: 'a' }, 'bootstrap_metadata_labels_key'],
    [{ validate_mutations: true }, 'validate_mutations'],
  ])('with %j is refused by name', async (config, field) => {
    await expect(pass({ config })).rejects.toThrow(`ext_authz: ${field} is not supported`);
  });

  it('guards what comes in and what goes out', () => {
    expect(extAuthz.directions).toEqual(['inbound', 'outbound']);
  });
});
