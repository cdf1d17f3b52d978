import { compare } from '../../simulation/compare.ts';
import type { Observation, SeenRequest } from '../../simulation/observation.ts';
import { DEADLINE_MS } from './draw-grpc-call.ts';
import type { Account, Place } from './trial.ts';

/** What became of one request on one side. */
export interface Result {
  readonly observation: Observation;
  readonly account: Account | undefined;
}

/** Where the SDK did otherwise than Envoy, one line each. */
export function compareResults(ofEnvoy: Result, ofSdk: Result, at: Place, hostsOf: HostsOf): string[] {
  const place = at === 'grpc' ? 'sidecar' : at;
  const [envoy, sdk] = [ofEnvoy, ofSdk].map((result) => timeless(inCommonWords(result))) as [Result, Result];
  const [one, other] = [parted(envoy, hostsOf), parted(sdk, hostsOf)];
  const lines = compare({ ...envoy.observation, requests: one.own }, { ...sdk.observation, requests: other.own }, place)
    // What is left of a timeout at a later attempt depends on the clock.
    .filter((line) => !hasLaterAttempt(one.own) || !line.includes(` header ${TIME_LEFT}`))
    // An Envoy that answers before the request's body is there closes the connection: a matter of the moment.
    .filter((line) => !line.startsWith('response header connection'))
    // Of what an Envoy answers a call itself it signs, and names the type that grpc-js takes away where a server speaks.
    .filter((line) => at !== 'grpc' || !/^response header (server|content-type): Envoy ".*", SDK none$/.test(line))
    // In a process there is no connection between the listener and the app.
    .filter((line) => place !== 'server' || !line.includes(' header (connection)'));
  const differ = (what: string, mine: unknown, theirs: unknown): void => {
    if (mine !== theirs) lines.push(`${what}: Envoy ${mine}, SDK ${theirs}`);
  };
  // What an Envoy took for bytes alone it tells nothing of.
  if (envoy.account !== undefined) for (const field of FIELDS[place]) differ(field, envoy.account?.[field], sdk.account?.[field]);
  differ('upstreams', workloads(one.own), workloads(other.own));
  differ('copies', one.copies.length, other.copies.length);
  for (const [index, copy] of one.copies.entries()) {
    const same = other.copies[index];
    if (same === undefined) break;
    const asOne = (request: SeenRequest): Observation => ({ replies: [NO_REPLY], requests: [request] });
    lines.push(...compare(asOne(copy), asOne(same), place).map((line) => `copy, ${line}`));
  }
  return lines;
}

/** A line that only tells how many attempts there were before. */
export function isOfAttempts(line: string): boolean {
  return line.startsWith(`upstream header ${ATTEMPT}:`) || line.startsWith(`upstream header ${TIME_LEFT}:`);
}

/** The first that an upstream saw may be a later one: before it there was nobody at the address. */
function hasLaterAttempt(attempts: readonly SeenRequest[]): boolean {
  return attempts.length > 1 || attempts.some(({ headers }) => headers.some(([name, value]) => name === ATTEMPT && value !== '1'));
}

const ATTEMPT = 'x-envoy-attempt-count';
const TIME_LEFT = 'x-envoy-expected-rq-timeout-ms';
const TOLD: ReadonlySet<string> = new Set([TIME_LEFT, 'grpc-timeout']);

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;

function withoutTimes(lines: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return lines.map(
    ([name, value]) => [name, isOfDeadline(name, value) ? '(left of the deadline)' : value.replace(TIME, '(time)')] as const,
  );
}

/** A part of it has passed when it is told. */
function isOfDeadline(name: string, value: string): boolean {
  const ms = TOLD.has(name) ? Number.parseInt(value, 10) : 0;
  return ms <= DEADLINE_MS && ms > DEADLINE_MS - 2_000;
}

/** Both sides write times as headers of drawn routes want them, and neither at the same one. */
function timeless({ observation, account }: Result): Result {
  const replies = observation.replies.map((reply) => ({
    ...reply,
    headers: Object.fromEntries(withoutTimes(Object.entries(reply.headers))),
  }));
  const requests = observation.requests.map((request) => ({ ...request, headers: withoutTimes(request.headers) }));
  return { observation: { replies, requests }, account };
}

/** The TLS libraries have words of their own for what failed. */
function inCommonWords({ observation, account }: Result): Result {
  if (account?.details.includes('TLS_error') !== true) return { observation, account };
  const replies = observation.replies.map(({ headers: { 'content-length': _length, ...headers }, ...reply }) => ({
    ...reply,
    headers,
    body: commonWords(reply.body),
  }));
  return { observation: { ...observation, replies }, account: { ...account, details: commonWords(account.details) } };
}

function commonWords(text: string): string {
  return text.replace(/TLS_error:.*:TLS_error_end/, 'TLS_error').replace(/TLS error:.*:TLS error end/, 'TLS error');
}

/** In a process there is no cluster between the listener and the app. */
const FIELDS: Readonly<Record<Exclude<Place, 'grpc'>, readonly (keyof Account)[]>> = {
  sidecar: ['route', 'cluster', 'flags', 'details'],
  gateway: ['route', 'cluster', 'flags', 'details'],
  server: ['route', 'flags', 'details'],
};

const NO_REPLY = { status: 0, headers: {}, body: '', tookMs: 0 };

/** Hosts of a cluster that chance may choose, `address:port`. */
type HostsOf = (cluster: string) => ReadonlySet<string>;

/** Attempts in their order, and mirrored copies, which went to another cluster's hosts, in one that does not depend on when they came. */
function parted({ observation, account }: Result, hostsOf: HostsOf): { readonly own: SeenRequest[]; readonly copies: SeenRequest[] } {
  const hosts = account === undefined ? undefined : hostsOf(account.cluster);
  const isCopy = ({ workload, headers }: SeenRequest): boolean =>
    /-shadow(:\d+)?$/.test(hostOf(headers)) || (hosts !== undefined && hosts.size > 0 && !hosts.has(workload));
  const key = ({ headers, path }: SeenRequest): string => `${hostOf(headers)} ${path} ${headers.at(-1)}`;
  const own = observation.requests.filter((request) => !isCopy(request));
  return { own, copies: observation.requests.filter(isCopy).sort((a, b) => (key(a) < key(b) ? -1 : 1)) };
}

function hostOf(headers: SeenRequest['headers']): string {
  return headers.find(([name]) => name === 'host')?.[1] ?? '';
}

function workloads(requests: readonly SeenRequest[]): string {
  return requests.map(({ workload }) => workload).join();
}
