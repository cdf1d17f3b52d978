import type { AskedRequest, Explanation, OfflineMesh } from '@ripstop/node';
import type { Member, Members } from './members.ts';

/** One workload's part of a request's way. */
export interface Leg {
  readonly who: string;
  readonly explanation: Explanation;
  readonly refused: readonly string[];
}

export interface Way {
  readonly legs: readonly Leg[];
  /** Why the way could not be followed to its end; '' = it was. */
  readonly openEnd: string;
}

/** A request from a workload's app: its own side, then the side of an endpoint that it may be sent to. */
export async function explainWay(members: Members, caller: Member, asked: AskedRequest): Promise<Way> {
  const { OfflineMesh } = await import('@ripstop/node');
  const here = new OfflineMesh(caller);
  const out = await here.outbound(asked);
  const legs: Leg[] = [
    { who: `${caller.name}.${caller.namespace} sends ${asked.method} ${asked.url}`, explanation: out, refused: here.refused },
  ];
  if (out.verdict.kind !== 'forward') return { legs, openEnd: '' };
  const { endpoint } = out.verdict;
  const { workload } = endpoint;
  if (workload === undefined || workload.workload === '')
    return { legs, openEnd: `${endpoint.key} is outside of the mesh: what it answers is not known here` };
  const receiver = await members.find(workload.workload, workload.namespace);
  const there = new OfflineMesh(receiver);
  const from = endpoint.transport.kind === 'tls' ? caller.spiffeId : 'anonymous';
  const port = workloadPort(there, out.verdict.cluster, endpoint.port);
  const { request } = out;
  const passedOn = { method: request.method, url: `http://${request.authority}${request.path}`, headers: headerLines(request.lines()) };
  legs.push({
    who: `${receiver.name}.${receiver.namespace} receives ${request.method} ${request.path} at ${endpoint.key}`,
    explanation: await there.inbound(passedOn, from, port),
    refused: there.refused,
  });
  return { legs, openEnd: '' };
}

/** `outbound|<service port>|…`: the port of the Service, which the receiver's own routes lead to its workload port. */
function workloadPort(there: OfflineMesh, cluster: string, otherwise: number): number {
  return there.workloadPort(Number(cluster.split('|')[1])) ?? otherwise;
}

/** Lines of one name together. */
export function headerLines(lines: Iterable<readonly [string, string]>): Readonly<Record<string, readonly string[]>> {
  const byName = new Map<string, string[]>();
  for (const [name, value] of lines) byName.set(name, [...(byName.get(name) ?? []), value]);
  return Object.fromEntries(byName);
}

/** For programs. */
export function wayAsJson({ legs, openEnd }: Way): object {
  return {
    legs: legs.map(({ who, explanation: { verdict, decisions }, refused }) => ({ who, verdict: plain(verdict), decisions, refused })),
    openEnd,
  };
}

/** An endpoint is a live object; a reader wants its address. */
function plain(verdict: Way['legs'][number]['explanation']['verdict']): object {
  return verdict.kind === 'forward' ? { ...verdict, endpoint: verdict.endpoint.key } : verdict;
}
