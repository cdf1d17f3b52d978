import type { Observation, Reply } from './observation.ts';
import type { Table } from './row.ts';

/** Headers that say nothing about behaviour: each connection's own, and the clock. */
const OF_THE_CONNECTION = new Set(['keep-alive', 'transfer-encoding', 'date']);

/** Headers whose value differs from call to call; compared by presence and form. */
const VARYING: Readonly<Record<string, RegExp>> = {
  'x-request-id': /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  'x-envoy-upstream-service-time': /^\d+$/,
};

/**
 * Headers that an Envoy writes and the SDK leaves out on purpose. Each costs both sides of every call, and inside the app's own process
 * it tells nobody anything new (reference: few headers, known names).
 */
const LEFT_OUT: Readonly<Record<'response' | 'upstream', ReadonlySet<string>>> = {
  response: new Set([
    'server', // no hop answered: the app sees the name that the upstream gives itself
    'x-envoy-upstream-service-time', // the app's own clock says it; the metrics and the access log have it
    'x-envoy-decorator-operation', // names the calling Envoy's span
  ]),
  upstream: new Set([
    'x-forwarded-proto', // the receiving side writes it when it is absent
    'x-request-id', // the receiving side makes one; traceparent ties the calls together
    'x-envoy-decorator-operation', // names the receiving Envoy's span; ours is named by its own route
  ]),
};

/** What the SDK does otherwise than Envoy, one line each; empty when nothing. */
export function compare(envoy: Observation, sdk: Observation, place: Table['place']): string[] {
  const { lines, differ } = recorder();
  differ('attempts', envoy.requests.length, sdk.requests.length);
  lines.push(...compareReplies(envoy.replies.at(-1)!, sdk.replies.at(-1)!, place));
  for (let at = 0; at < Math.min(envoy.requests.length, sdk.requests.length); at++) {
    const [one, other] = [envoy.requests[at]!, sdk.requests[at]!];
    const where = at === 0 ? 'upstream' : `upstream, attempt ${at + 1}`;
    differ(`${where} method`, one.method, other.method);
    differ(`${where} path`, one.path, other.path);
    differ(`${where} body`, one.body, other.body);
    for (const [name, mine, theirs] of pairs(normalized(one.headers), normalized(other.headers))) {
      if (name === 'connection') continue;
      if (theirs === undefined && LEFT_OUT.upstream.has(name)) continue;
      // Envoy writes its own address into a mirrored copy; in a process there is nobody between the app and the copy.
      if (theirs === undefined && name === 'x-forwarded-for' && place === 'sidecar') continue;
      if (theirs === undefined && name === 'content-length' && mine === '0') continue; // on a request the same as none
      differ(`${where} header ${name}`, mine, theirs);
    }
  }
  return lines;
}

/** Of rows with several calls: the first reply of each status. */
export function compareByStatus(envoy: Observation, sdk: Observation, place: Table['place']): string[] {
  const lines: string[] = [];
  const statuses = [...new Set([...envoy.replies, ...sdk.replies].map(({ status }) => status))].sort();
  for (const status of statuses) {
    const [one, other] = [envoy, sdk].map(({ replies }) => replies.find((reply) => reply.status === status));
    if (one === undefined || other === undefined) lines.push(`status ${status}: only from ${one === undefined ? 'the SDK' : 'Envoy'}`);
    else lines.push(...compareReplies(one, other, place).map((line) => `status ${status}, ${line}`));
  }
  return lines;
}

/** A reply that Envoy makes itself is compared to the last header; only one of an upstream has a service time (or upgrades). */
function compareReplies(one: Reply, other: Reply, place: Table['place']): string[] {
  const { lines, differ } = recorder();
  const local = one.headers['x-envoy-upstream-service-time'] === undefined && one.status !== 101;
  differ('status', one.status, other.status);
  differ('body', one.body, other.body);
  for (const [name, mine, theirs] of pairs(replyHeaders(one), replyHeaders(other))) {
    // On the way out the SDK has no connection to the app that it could close.
    if (name === 'connection' && place === 'sidecar') continue;
    const leftOut = LEFT_OUT.response.has(name) && (theirs === undefined || name === 'server');
    if (leftOut && (!local || name !== 'server')) continue;
    differ(`response header ${name}`, mine, theirs);
  }
  return lines;
}

function recorder(): { readonly lines: string[]; differ(what: string, one: unknown, other: unknown): void } {
  const lines: string[] = [];
  return {
    lines,
    differ: (what, one, other) => {
      if (one !== other) lines.push(`${what}: Envoy ${show(one)}, SDK ${show(other)}`);
    },
  };
}

function replyHeaders({ headers }: Reply): Map<string, string> {
  return normalized(Object.entries(headers));
}

/** Lower-case names with all their lines in order; what is not compared left out. */
function normalized(lines: Iterable<readonly [string, string]>): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of lines) {
    if (OF_THE_CONNECTION.has(name) || (name === 'connection' && value.toLowerCase() !== 'close')) continue;
    const form = VARYING[name];
    const shown = form?.test(value) === true ? '(valid)' : value;
    const before = found.get(name);
    found.set(name, before === undefined ? shown : `${before} | ${shown}`);
  }
  return found;
}

function* pairs(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): Iterable<[string, string | undefined, string | undefined]> {
  for (const name of [...new Set([...one.keys(), ...other.keys()])].sort()) yield [name, one.get(name), other.get(name)];
}

function show(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}
