import { RateLimitRequest, RateLimitResponse, type RateLimitResponse_RateLimit_Unit } from '@ripstop/xds-api';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { UPSTREAMS } from '../../simulation/base-mesh.ts';
import { compare } from '../../simulation/compare.ts';
import { Upstreams } from '../../simulation/mesh/upstreams.ts';
import type { Caller, Pair } from '../../simulation/observation.ts';
import { type StaticConfig, typed } from '../../simulation/xds/static-config.ts';
import { ScriptedGrpc } from './scripted-grpc.ts';
import { startStaticPair } from './static-mesh.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: the global rate limit: no Envoy: ${envoy.missing}`);

const NAME = 'envoy.filters.http.ratelimit';
const header = (key: string, value: string): object => ({ header: { key, value } });
const filter = (more: object = {}): object =>
  typed('envoy.extensions.filters.http.ratelimit.v3.RateLimit', {
    domain: 'shop',
    timeout: '0.5s',
    enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
    response_headers_to_add: [header('x-own', 'filter')],
    rate_limit_service: { transport_api_version: 'V3', grpc_service: { envoy_grpc: { cluster_name: 'rls', authority: 'rls.example' } } },
    ...more,
  });
const perRoute = (value: object): object => ({ [NAME]: typed('envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute', value) });
const generic = (value: string, more: object = {}): object => ({ actions: [{ generic_key: { descriptor_value: value } }], ...more });
const byHeader = {
  actions: [{ request_headers: { header_name: 'x-who', descriptor_key: 'who' } }, { generic_key: { descriptor_value: 'k' } }],
};

function config(rls: number, echo: number, more: object = {}): StaticConfig {
  const route = (prefix: string, action: object, extra: object = {}): object => ({
    match: { prefix },
    route: { cluster: 'echo', ...action },
    ...extra,
  });
  return {
    filters: [{ name: NAME, typed_config: filter(more) }],
    clusters: { echo: { ports: [echo] }, rls: { ports: [rls], http2: true } },
    virtualHosts: [
      {
        name: 'plain',
        domains: ['plain.example'],
        routes: [
          route('/who', { rate_limits: [byHeader, generic('all')] }),
          route('/stage', { rate_limits: [generic('other', { stage: 3 })] }),
          route('/none', {}),
          route('/', { rate_limits: [generic('all')] }),
        ],
      },
      {
        name: 'host',
        domains: ['host.example'],
        rate_limits: [generic('host')],
        routes: [
          route('/own', { rate_limits: [generic('route')] }),
          route('/both', { rate_limits: [generic('route')], include_vh_rate_limits: true }),
          route('/include', { rate_limits: [generic('route')] }, { typed_per_filter_config: perRoute({ vh_rate_limits: 'INCLUDE' }) }),
          route('/ignore', {}, { typed_per_filter_config: perRoute({ vh_rate_limits: 'IGNORE' }) }),
          route('/domain', {}, { typed_per_filter_config: perRoute({ domain: 'another' }) }),
          route(
            '/instead',
            { rate_limits: [generic('route')] },
            { typed_per_filter_config: perRoute({ rate_limits: [generic('instead')] }) },
          ),
          route('/', {}),
        ],
      },
    ],
  };
}

type Fields = Parameters<typeof RateLimitResponse.fromPartial>[0];
type Script = Fields | 'UNAVAILABLE' | 'late';
const OK: Fields = { overallCode: 1 };
const OVER: Fields = { overallCode: 2 };
const grpc = { 'content-type': 'application/grpc' };
const status = (
  name: string,
  requestsPerUnit: number,
  unit: RateLimitResponse_RateLimit_Unit,
  limitRemaining: number,
  seconds: number,
): NonNullable<Fields['statuses']>[number] => ({
  code: 1,
  currentLimit: { name, requestsPerUnit, unit },
  limitRemaining,
  durationUntilReset: { seconds, nanos: 0 },
});

const ROWS: readonly (readonly [name: string, url: string, answer: Script, status: number, headers?: Record<string, string>])[] = [
  ['lets pass', 'http://plain.example/', OK, 200],
  ['refuses', 'http://plain.example/', OVER, 429],
  ['refuses a gRPC call', 'http://plain.example/', OVER, 200, grpc],
  [
    'refuses with a body and headers',
    'http://plain.example/',
    { ...OVER, rawBody: Buffer.from('slow down'), responseHeadersToAdd: [{ key: 'x-rls', value: '1' }] },
    429,
  ],
  [
    'adds headers both ways',
    'http://plain.example/',
    { ...OK, requestHeadersToAdd: [{ key: 'x-to-app', value: '1' }], responseHeadersToAdd: [{ key: 'x-to-caller', value: '2' }] },
    200,
  ],
  ['tells what is left', 'http://plain.example/', { ...OK, statuses: [status('', 10, 2, 5, 30), status('by-day', 100, 4, 3, 3000)] }, 200],
  ['tells what is left of a refused one', 'http://plain.example/', { ...OVER, statuses: [status('a', 10, 1, 0, 1)] }, 429],
  ['has no answer', 'http://plain.example/', 'UNAVAILABLE', 200],
  ['takes too long', 'http://plain.example/', 'late', 200],
  ['does not know', 'http://plain.example/', { overallCode: 0 }, 200],
  ['is asked for several descriptors', 'http://plain.example/who', OK, 200, { 'x-who': 'me' }],
  ['is asked for those that there are', 'http://plain.example/who', OK, 200],
  ['is not asked in another stage', 'http://plain.example/stage', OVER, 200],
  ['is not asked where nothing is limited', 'http://plain.example/none', OVER, 200],
  ['is asked for what the route limits', 'http://host.example/own', OK, 200],
  ['is asked for what route and host limit', 'http://host.example/both', OK, 200],
  ['is asked for both where the filter says so', 'http://host.example/include', OK, 200],
  ['is not asked for the host where the filter says so', 'http://host.example/ignore', OVER, 200],
  ['is asked in another domain', 'http://host.example/domain', OK, 200],
  ['is asked for the filter’s own limits of a route', 'http://host.example/instead', OK, 200],
  ['is asked for what the host limits', 'http://host.example/', OK, 200],
];

describe.skipIf('missing' in envoy).each([
  ['lets pass', {}],
  ['denies', { failure_mode_deny: true, rate_limited_as_resource_exhausted: true, disable_x_envoy_ratelimited_header: true }],
])('a global rate limit that %s when nobody answers: the SDK does as Envoy when the service', (mode, more) => {
  const parts = new AsyncDisposableStack();
  let upstreams: Upstreams;
  let service: ScriptedGrpc;
  let pair: Pair;
  beforeAll(async () => {
    if ('missing' in envoy) return;
    upstreams = parts.use(await Upstreams.start(UPSTREAMS));
    service = parts.use(await ScriptedGrpc.start('/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'));
    pair = await startStaticPair(envoy.path, config(service.port, upstreams.port('echo-v1'), more), parts);
  });
  afterAll(() => parts.disposeAsync());

  async function observe(caller: Caller, url: string, answer: Script, headers: Record<string, string>) {
    upstreams.play([]);
    service.answer = typeof answer === 'string' ? answer : RateLimitResponse.encode(RateLimitResponse.fromPartial(answer)).finish();
    service.asked = [];
    const reply = await caller.call({ url, headers, ...(headers['content-type'] === undefined ? {} : { method: 'POST' }) });
    return {
      seen: { replies: [reply], requests: upstreams.requests },
      asked: service.asked.map((bytes) => RateLimitRequest.toJSON(RateLimitRequest.decode(bytes))),
    };
  }

  for (const [name, url, answer, expected, headers = {}] of ROWS) {
    it(name, async () => {
      const byEnvoy = await observe(pair.envoy, url, answer, headers);
      const bySdk = await observe(pair.sdk, url, answer, headers);
      const failed = typeof answer === 'string';
      expect(byEnvoy.seen.replies[0]!.status).toBe(failed && mode === 'denies' ? 500 : expected);
      expect(compare(byEnvoy.seen, bySdk.seen, 'gateway')).toEqual([]);
      expect(bySdk.asked).toEqual(byEnvoy.asked);
    });
  }
});
