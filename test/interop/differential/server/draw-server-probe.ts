import type { Answer } from '../../../simulation/row.ts';
import type { Draw } from '../draw.ts';
import { pathOf } from '../draw-route.ts';
import { AUTHORITIES, HEADER_NAMES, HEADER_VALUES, METHODS, QUERIES, STATUSES } from '../words.ts';
import { CALLERS } from './identities.ts';
import type { ServerCall, ServerProbe, ServerScenario } from './scenario.ts';
import { drawToken } from './tokens.ts';

type Line = readonly [string, string];

/** A request that often meets the scenario, and what the app answers. */
export function drawServerProbe(draw: Draw, { scenario }: { readonly scenario: ServerScenario }): ServerProbe {
  const path = pathOf(draw, scenario);
  const method = draw.one(METHODS);
  // An app of node:http2 takes HTTP/2 alone.
  const protocol = scenario.app === 'http2' || draw.chance(0.35) ? 'http2' : 'http1';
  const withBody = method === 'POST' || method === 'PUT' || method === 'PATCH';
  const secure = scenario.mode === 'DISABLE' ? draw.chance(0.05) : draw.chance(scenario.mode === 'STRICT' ? 0.9 : 0.5);
  const call: ServerCall = {
    protocol,
    as: secure ? draw.one(CALLERS) : undefined,
    method,
    authority: draw.one(AUTHORITIES),
    path: path.includes('?') ? path : path + drawQuery(draw),
    headers: drawHeaders(draw, protocol),
    body:
      withBody && draw.chance(0.7) ? draw.one([[], ['body'], ['x'.repeat(2000)], ['bo', 'dy'], ['x'.repeat(900), 'y'.repeat(900)]]) : [],
    chunked: draw.chance(0.4),
  };
  return { call, answer: drawAnswer(draw, JSON.stringify(scenario.routes).includes('400000000')) };
}

function drawQuery(draw: Draw): string {
  const query = draw.one(QUERIES);
  if (!draw.chance(0.08)) return query;
  return `${query}${query === '' ? '?' : '&'}${draw.one(['access_token', 'token'])}=${drawToken(draw)}`;
}

function drawHeaders(draw: Draw, protocol: ServerCall['protocol']): Line[] {
  const lines: Line[] = draw.list(3, () => [cased(draw, draw.one(HEADER_NAMES), protocol), draw.one(HEADER_VALUES)] as const);
  const add = (share: number, name: string, value: () => string): void => {
    if (draw.chance(share)) lines.push([cased(draw, name, protocol), value()]);
  };
  add(0.3, 'authorization', () => `${draw.one(['Bearer', 'Bearer', 'Bearer', 'bearer', 'Basic'])} ${drawToken(draw)}`);
  add(0.1, 'x-token', () => `${draw.one(['', 'Bearer ', 'T='])}${drawToken(draw)}`);
  add(0.3, 'x-authz', () => draw.one(['allow', 'deny', 'deny', 'fail', 'hang up']));
  add(0.15, 'origin', () => draw.one(['http://o', 'http://other']));
  add(0.1, 'access-control-request-method', () => 'GET');
  add(0.15, 'x-forwarded-for', () => draw.one(['10.1.2.3', '203.0.113.7, 10.0.0.1', '::1', 'unknown', '1.2.3.4,5.6.7.8, 9.9.9.9', '']));
  add(0.12, 'x-forwarded-proto', () => draw.one(['http', 'https', 'HTTPS']));
  add(0.12, 'x-forwarded-client-cert', () => draw.one(['By=spiffe://x;Hash=ab', 'Hash=1,By=2', '']));
  add(0.06, 'x-forwarded-host', () => 'mine.test');
  add(0.06, 'x-request-id', () => draw.one(['mine', '7f3b2f5e-8f6a-9d3e-8c1b-0123456789ab']));
  add(0.06, 'x-envoy-internal', () => 'true');
  add(0.06, 'x-envoy-external-address', () => '9.9.9.9');
  add(0.06, 'x-envoy-original-path', () => '/mine');
  add(0.06, 'x-envoy-decorator-operation', () => 'mine');
  add(0.06, 'x-envoy-attempt-count', () => '9');
  add(0.06, 'x-envoy-expected-rq-timeout-ms', () => '9');
  add(0.04, 'x-envoy-upstream-rq-timeout-ms', () => draw.one(['5000', '0', 'x']));
  add(0.05, 'x-envoy-retry-on', () => '5xx');
  add(0.05, 'x-envoy-fault-abort-request', () => draw.one(['418', '99', '503']));
  add(0.04, 'x-envoy-fault-delay-request', () => draw.one(['2', 'x']));
  add(0.04, 'grpc-timeout', () => draw.one(['5S', '300m', '1H', 'x']));
  add(0.05, 'te', () => (protocol === 'http2' ? 'trailers' : draw.one(['trailers', 'trailers, deflate', 'gzip'])));
  add(0.05, 'x_under', () => 'v');
  add(0.03, 'via', () => '1.1 mine');
  add(0.05, 'accept-encoding', () => draw.one(['gzip', 'br']));
  // node:http2 writes some names once only, and its reader drops what ends with a blank.
  if (protocol === 'http2')
    return lines
      .map(([name, value]): Line => [name, value.trim()])
      .filter(([name, value], at) => (REPEATED.has(name) && value !== '') || lines.findIndex(([other]) => other === name) === at);
  add(0.06, 'connection', () => draw.one(['close', 'keep-alive', 'x-a', 'x-a, close', 'TE']));
  add(0.04, 'keep-alive', () => 'timeout=5');
  add(0.03, 'proxy-connection', () => 'close');
  return lines;
}

const REPEATED: ReadonlySet<string> = new Set(['x-a', 'x-b', 'x-c', 'cookie', 'accept']);

function cased(draw: Draw, name: string, protocol: ServerCall['protocol']): string {
  if (protocol === 'http2' || draw.chance(0.6)) return name;
  return draw.chance(0.5) ? name.toUpperCase() : name.replace(/(^|-)./g, (letters) => letters.toUpperCase());
}

/** `timed`: a timeout may be met. */
function drawAnswer(draw: Draw, timed: boolean): Answer {
  const status = draw.one(STATUSES);
  const headers: Record<string, string> = {};
  for (const name of draw.list(2, () => draw.one(['x-a', 'x-b', 'x-c', 'server', 'content-type', 'x-envoy-attempt-count', 'x-request-id'])))
    headers[name] = draw.one(['v', 'w', '']);
  if (status === 301) headers.location = '/elsewhere';
  const body = draw.maybe(0.4, () => draw.one(['', 'text', 'long '.repeat(300)]));
  return { status, headers, ...(body === undefined ? {} : { body }), ...(timed && draw.chance(0.2) ? { afterMs: 900 } : {}) };
}
