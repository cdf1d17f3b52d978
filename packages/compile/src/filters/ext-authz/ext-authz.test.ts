import {
  Exchange,
  type FilterEnv,
  type HttpConnectionManager,
  NO_PEER,
  type RequestHead,
  type Snapshot,
  type UpstreamCalls,
} from '@ripstop/core';
import { CheckRequest, CheckResponse, ExtAuthz, ExtAuthzPerRoute, fromProtoJson } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { extAuthz } from './ext-authz.ts';

const GRPC = { grpc_service: { envoy_grpc: { cluster_name: 'authz', authority: 'authz.example' }, timeout: '1s' } };
const HTTP = { http_service: { server_uri: { uri: 'http://authz', cluster: 'authz', timeout: '1s' } } };

const decode = (config: object) => extAuthz.decode(ExtAuthz.encode(fromProtoJson(ExtAuthz, config)).finish());
const decodeOverride = (config: object) =>
  extAuthz.decodeOverride!(ExtAuthzPerRoute.encode(fromProtoJson(ExtAuthzPerRoute, config)).finish());

describe('what ext_authz cannot honour is refused by name', () => {
  it.each([
    ['neither service', {}, 'neither grpc_service nor http_service'],
    ['a service outside of the mesh', { grpc_service: { google_grpc: { target_uri: 'x', stat_prefix: 'x' } } }, 'only envoy_grpc'],
    ['no cluster', { grpc_service: { envoy_grpc: {} } }, 'cluster_name is empty'],
    ['a path prefix that is none', { http_service: { ...HTTP.http_service, path_prefix: 'x' } }, 'path_prefix x must begin with /'],
    ['a body of nothing', { ...GRPC, with_request_body: { max_request_bytes: 0 } }, 'max_request_bytes must be above 0'],
    ['raw headers', { ...GRPC, encode_raw_headers: true }, 'encode_raw_headers is not supported'],
    [
      'rules for its changes',
      { ...GRPC, decoder_header_mutation_rules: { disallow_all: true } },
      'decoder_header_mutation_rules is not supported',
    ],
    ['metadata of routes', { ...GRPC, route_metadata_context_namespaces: ['a'] }, 'route_metadata_context_namespaces is not supported'],
  ])('%s', (_what, config, message) => {
    expect(() => decode(config)).toThrow(message);
  });

  it('a route that says nothing, or two things at once', () => {
    expect(() => decodeOverride({})).toThrow('neither disabled nor check_settings');
    expect(() =>
      decodeOverride({ check_settings: { disable_request_body_buffering: true, with_request_body: { max_request_bytes: 1 } } }),
    ).toThrow('exclude each other');
  });
});

interface Asked {
  readonly message: CheckRequest;
  readonly metadata: readonly (readonly [string, string])[];
}

/** The filter over a scripted authorizer, and what that was asked. */
function filterOf(config: object, answer: object | 'down', overrides: readonly object[] = []) {
  const asked: Asked[] = [];
  const calls: UpstreamCalls = {
    http: async () => ({ failure: 'not asked by HTTP' }),
    grpc: async ({ message, metadata }) => {
      asked.push({ message: CheckRequest.decode(message), metadata });
      return answer === 'down' ? { failure: 'down' } : { message: CheckResponse.encode(CheckResponse.fromPartial(answer)).finish() };
    },
  };
  const env: FilterEnv = {
    clock: { now: () => 5, wallTime: () => 1_700_000_000_005, setTimer: () => ({ cancel() {} }) },
    random: () => 0.5,
    direction: 'inbound',
    state: (_key, create) => create(),
    calls,
    ownSpiffeId: () => 'spiffe://cluster.local/ns/default/sa/served',
  };
  const override = overrides
    .map(decodeOverride)
    .reduce((general, specific) => extAuthz.mergeOverrides!(general, specific), decodeOverride({ check_settings: {} }));
  return { asked, filter: extAuthz.create(decode(config), overrides.length === 0 ? undefined : override, env)! };
}

function request(): Exchange {
  const lines = ['x-a', '1', 'x-a', '2', 'authorization', 'Basic x', 'x-envoy-auth-partial-body', 'true', 'connection', 'close'];
  const head = {
    scheme: 'http',
    authority: 'shop',
    method: 'POST',
    path: '/p?q=1',
    header: (name: string) => lines.filter((_value, at) => lines[at - 1] === name && at % 2 === 1).join(',') || undefined,
    pairs: () => lines,
    setHeader() {},
    appendHeader() {},
    removeHeader() {},
  } as unknown as RequestHead;
  const peer = {
    ...NO_PEER,
    address: '10.0.0.1',
    port: 1,
    localAddress: '10.0.0.2',
    localPort: 80,
    mtls: true,
    uriSans: ['spiffe://a'],
    sni: 'shop',
  };
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request: head,
    snapshot: {} as Snapshot,
    manager: {} as HttpConnectionManager,
    peer,
    port: 80,
    startedAt: 5,
  });
  x.route = {} as never;
  return x;
}

describe('a gRPC authorizer', () => {
  it('is shown the request as Envoy describes it', async () => {
    const { filter, asked } = filterOf({ ...GRPC, include_tls_session: true }, {});
    await filter.onRequest!(request());
    const { source, destination, request: shown, tlsSession } = asked[0]!.message.attributes!;
    expect(source).toMatchObject({
      principal: 'spiffe://a',
      address: { address: { value: { address: '10.0.0.1', portSpecifier: { value: 1 } } } },
    });
    expect(destination).toMatchObject({ principal: 'spiffe://cluster.local/ns/default/sa/served' });
    expect(tlsSession?.sni).toBe('shop');
    expect(shown?.time?.getTime()).toBe(1_700_000_000_005);
    expect(shown?.http).toMatchObject({
      method: 'POST',
      path: '/p?q=1',
      host: 'shop',
      scheme: 'http',
      protocol: 'HTTP/1.1',
      size: 0,
      body: '',
    });
    expect(shown?.http?.headers).toEqual({
      ':authority': 'shop',
      ':method': 'POST',
      ':path': '/p?q=1',
      ':scheme': 'http',
      authorization: 'Basic x',
      'x-a': '1,2',
    });
  });

  it('is shown only the headers that may be shown, metadata that is named and what routes add', async () => {
    const { filter, asked } = filterOf(
      { ...GRPC, allowed_headers: { patterns: [{ prefix: 'x-' }] }, metadata_context_namespaces: ['jwt'] },
      {},
      [{ check_settings: { context_extensions: { a: '1', b: '1' } } }, { check_settings: { context_extensions: { b: '2' } } }],
    );
    const x = request();
    x.metadata = new Map([
      ['jwt', { sub: 'u' }],
      ['other', {}],
    ]);
    await filter.onRequest!(x);
    const { request: shown, contextExtensions, metadataContext } = asked[0]!.message.attributes!;
    expect(shown?.http?.headers).toEqual({ 'x-a': '1,2' });
    expect(contextExtensions).toEqual({ a: '1', b: '2' });
    expect(metadataContext?.filterMetadata).toEqual({ jwt: { sub: 'u' } });
  });

  it.each([
    ['text', false],
    ['bytes', true],
  ])('is shown a body as %s', async (_form, packAsBytes) => {
    const { filter, asked } = filterOf({ ...GRPC, with_request_body: { max_request_bytes: 10, pack_as_bytes: packAsBytes } }, {});
    const x = request();
    x.body = { read: async () => ({ bytes: new Uint8Array([104, 105, 255]), complete: true }) };
    await filter.onRequest!(x);
    const http = asked[0]!.message.attributes!.request!.http!;
    expect([http.body, [...http.rawBody], http.size]).toEqual(packAsBytes ? ['', [104, 105, 255], 3] : ['hi!', [], 3]);
    expect(http.headers['x-envoy-auth-partial-body']).toBe('false');
  });

  it.each([
    ['a status without an answer', { status: { code: 7 } }, { status: 403, body: '', details: 'ext_authz_denied' }],
    [
      'its own status, body and headers, without those that say append',
      {
        status: { code: 7 },
        httpResponse: {
          $case: 'deniedResponse',
          value: {
            status: { code: 401 },
            body: 'no',
            headers: [
              { header: { key: 'X-D', value: '1' } },
              { header: { key: 'x-d', value: '2' } },
              { header: { key: 'x-e', value: '3' }, append: true },
            ],
          },
        },
      },
      {
        status: 401,
        body: 'no',
        headers: [
          ['x-d', '1'],
          ['x-d', '2'],
        ],
      },
    ],
    ['a denial in an answer that allows', { httpResponse: { $case: 'deniedResponse', value: { status: { code: 401 } } } }, undefined],
    ['no answer', 'down', { status: 403, body: '', details: 'ext_authz_error' }],
  ] as const)('decides: %s', async (_what, answer, expected) => {
    const reply = await filterOf(GRPC, answer).filter.onRequest!(request());
    if (expected === undefined) expect(reply).toBeUndefined();
    else expect(reply).toMatchObject(expected);
  });

  it('refuses everything where nobody carries its calls', () => {
    const { filter } = filterOf(GRPC, {});
    expect(filter).toBeDefined();
    const alone = extAuthz.create(decode(GRPC), undefined, {
      clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
      random: () => 0,
      direction: 'inbound',
      state: (_key, create) => create(),
    });
    expect(alone!.onRequest!(request())).toMatchObject({
      status: 403,
      details: 'ripstop_unenforceable_filter{envoy.filters.http.ext_authz}',
    });
  });
});
