import { type AskedRequest, type Explanation, explainInbound, explainOutbound, NO_PEER, type PathBinding, type Peer } from '@ripstop/core';
import { MeshError } from './errors.ts';
import type { Runtime } from './runtime.ts';

/** A request that is asked about. */
export interface ExplainQuestion extends AskedRequest {
  /**
   * Asks about a request to this service, from that caller: `namespace/serviceaccount`, a SPIFFE id, or `anonymous` for one without a
   * certificate. Left out: about a call that this service's own app makes.
   */
  readonly from?: string;
  /** With `from`: the workload port. Default: the URL's. */
  readonly port?: number;
}

/** See Mesh.explain. */
export async function explain(
  runtime: Runtime,
  { from, port, ...asked }: ExplainQuestion,
  bindings: ReadonlyMap<number, PathBinding>,
): Promise<Explanation> {
  const snapshot = runtime.snapshots.current;
  if (snapshot === undefined) throw new MeshError('RIPSTOP_NOT_READY', 'the mesh has no configuration yet; await mesh.ready() first');
  const url = URL.parse(asked.url);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new MeshError('RIPSTOP_BAD_QUESTION', `explain: ${JSON.stringify(asked.url)} is no http: or https: URL`);
  if (from === undefined) return explainOutbound(runtime, snapshot, asked);
  const workloadPort = port ?? Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const peer = callerOf(from, runtime.settings.trustDomain);
  return explainInbound(runtime, snapshot, { asked, peer, port: workloadPort, binding: bindings.get(workloadPort) });
}

/** A connection of that caller. Throws a MeshError when the name is none. */
export function callerOf(from: string, trustDomain: string): Peer {
  const peer = { ...NO_PEER, address: '127.0.0.1' };
  if (from === 'anonymous') return peer;
  const [, namespace, account] = /^([^/:]+)\/([^/:]+)$/.exec(from) ?? [];
  const spiffeId = namespace === undefined ? from : `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`;
  if (!spiffeId.startsWith('spiffe://'))
    throw new MeshError(
      'RIPSTOP_BAD_QUESTION',
      `explain: from ${JSON.stringify(from)}; give namespace/serviceaccount, a SPIFFE id, or anonymous`,
    );
  return { ...peer, mtls: true, uriSans: [spiffeId], alpn: 'istio-http/1.1' };
}
