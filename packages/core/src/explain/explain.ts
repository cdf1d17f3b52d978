import { type Endpoint, isLease } from '../cluster/cluster.ts';
import { type Decision, DecisionRecord, formatDecisions } from '../decision-record.ts';
import { Exchange, NO_PEER, type Peer } from '../exchange.ts';
import { chooseFilterChain } from '../filter-chain-match.ts';
import { isGrpcContentType } from '../grpc-text.ts';
import type { LocalReply } from '../local-reply.ts';
import type { PathBinding } from '../path-binding.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Clock } from '../ports.ts';
import { formatResponseFlags } from '../response-flags.ts';
import type { HttpConnectionManager } from '../route/route.ts';
import type { FilterChain, Snapshot } from '../snapshot.ts';
import { type AskedRequest, ExplainedHead, portOf } from './explained-head.ts';

/** What becomes of a request, as far as it can be said without sending it. */
export type Verdict =
  /** Sent on; another request may go to another endpoint. */
  | { readonly kind: 'forward'; readonly cluster: string; readonly endpoint: Endpoint }
  /** The app behind the listener serves it. */
  | { readonly kind: 'serve' }
  | { readonly kind: 'reply'; readonly status: number; readonly details: string; readonly flags: string; readonly body: string }
  /** No request is read: the connection is reset. */
  | { readonly kind: 'reset'; readonly reason: string };

export interface Explanation {
  readonly verdict: Verdict;
  readonly decisions: readonly Decision[];
  /** As the request goes on: what the next one is asked about. */
  readonly request: ExplainedHead;
  /** For people: a line per decision. */
  toString(): string;
}

export interface ExplainEnv {
  readonly pipeline: Pipeline;
  readonly clock: Clock;
}

/** How a caller comes in: `peer.mtls` tells whether by mutual TLS. */
export interface InboundQuestion {
  readonly asked: AskedRequest;
  readonly peer: Peer;
  /** Workload port. */
  readonly port: number;
  /** How the app's router reads paths, where it is known. */
  readonly binding?: PathBinding | undefined;
}

/** What this process would do with a request of its app: the evaluator of the data plane itself, with nothing sent, counted or waited for. */
export function explainOutbound(env: ExplainEnv, snapshot: Snapshot, asked: AskedRequest): Promise<Explanation> {
  const port = portOf(new URL(asked.url));
  const manager = snapshot.outbound.forPort(port) ?? snapshot.outbound.catchAll;
  const record = new DecisionRecord({ dryRun: true });
  record.add('connection', `port ${port} is of ${manager.name}`);
  return evaluate(env, record, new Exchange({ ...start(env, asked), direction: 'outbound', snapshot, manager, peer: NO_PEER, port }));
}

/** What this process would do with a request from outside. */
export async function explainInbound(
  env: ExplainEnv,
  snapshot: Snapshot,
  { asked, peer, port, binding }: InboundQuestion,
): Promise<Explanation> {
  const record = new DecisionRecord({ dryRun: true });
  const init = start(env, asked);
  const alpn = peer.mtls ? ['istio-http/1.1'] : ['http/1.1'];
  const chain = chooseFilterChain(snapshot.inbound, { port, tls: peer.mtls, sni: peer.sni, alpn });
  const manager = admit(chain, peer, port, record);
  if (typeof manager === 'string') return explanation(record, init.request, { kind: 'reset', reason: manager });
  return evaluate(env, record, new Exchange({ ...init, direction: 'inbound', snapshot, manager, peer, port, binding }));
}

function start({ clock }: ExplainEnv, asked: AskedRequest) {
  const request = new ExplainedHead(asked);
  const protocol = isGrpcContentType(request.header('content-type')) ? ('grpc' as const) : ('http1' as const);
  return { request, protocol, startedAt: clock.now() };
}

/** The door: the chain that takes the connection, or why none does. */
function admit(chain: FilterChain | undefined, peer: Peer, port: number, record: DecisionRecord): HttpConnectionManager | string {
  const how = peer.mtls ? `mutual TLS as ${peer.uriSans[0] ?? 'nobody'}` : 'plaintext';
  if (chain === undefined) return refuse(record, `no filter chain of port ${port} takes ${how}`);
  if (chain.http === undefined) return refuse(record, `filter chain ${chain.name} takes ${how} as TCP, which is not carried`);
  const sources = [...(chain.http.sources?.values() ?? [])].filter(({ kind }) => kind === 'PeerAuthentication');
  record.add('connection', `${how} to port ${port}: filter chain ${chain.name}`, sources[0]);
  if (chain.tls !== undefined && peer.mtls && !chain.tls.acceptsSans(peer.uriSans, peer.dnsSans))
    return refuse(record, `the certificate of ${peer.uriSans[0] ?? 'the caller'} is not of a trusted domain`);
  return chain.http;
}

function refuse(record: DecisionRecord, reason: string): string {
  record.add('connection', reason);
  return reason;
}

async function evaluate({ pipeline }: ExplainEnv, record: DecisionRecord, x: Exchange): Promise<Explanation> {
  x.decision = record;
  const reply = (await pipeline.begin(x)) ?? pick(x, record);
  return explanation(record, x.request as ExplainedHead, verdictOf(x, reply));
}

/** The choice of an endpoint as for an attempt, given back at once; or what an attempt would be answered without one (UH, UO). */
function pick(x: Exchange, record: DecisionRecord): LocalReply | undefined {
  const { cluster } = x;
  if (cluster === undefined) return undefined;
  const lease = cluster.acquire(x);
  if (!isLease(lease)) {
    x.flags |= lease.flags;
    return lease;
  }
  lease.release({ kind: 'cancelled' });
  x.endpoint = lease.endpoint;
  record.add('endpoint', `${lease.endpoint.key} is picked now`);
  return undefined;
}

function verdictOf({ cluster, endpoint, flags }: Exchange, reply: LocalReply | undefined): Verdict {
  if (reply !== undefined)
    return { kind: 'reply', status: reply.status, details: reply.details, flags: formatResponseFlags(flags), body: reply.body };
  if (cluster === undefined || endpoint === undefined) return { kind: 'serve' };
  return { kind: 'forward', cluster: cluster.name, endpoint };
}

function explanation(record: DecisionRecord, request: ExplainedHead, verdict: Verdict): Explanation {
  record.add('result', formatVerdict(verdict));
  const { decisions } = record;
  return { verdict, decisions, request, toString: () => formatDecisions(decisions) };
}

function formatVerdict(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'forward':
      return `sent to ${verdict.endpoint.key} of ${verdict.cluster}`;
    case 'serve':
      return 'served by the app';
    case 'reply':
      return `${verdict.status}${verdict.body === '' ? '' : ` ${verdict.body}`}, flags ${verdict.flags}, ${verdict.details}`;
    case 'reset':
      return `the connection is reset: ${verdict.reason}`;
  }
}
