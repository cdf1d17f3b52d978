import { refusedByUs, yamlOf } from '../istiod/compare-mesh.ts';
import type { Dump, IstiodAnswer } from '../istiod/istiod-process.ts';
import type { Istiod } from '../istiod/lasting-istiod.ts';
import type { Mesh } from '../istiod/mesh/random-mesh.ts';

/** A drawn mesh with what istiod makes of it: only documents that both sides take. */
export interface Translated {
  readonly mesh: Mesh;
  readonly answer: IstiodAnswer;
}

/** What both sides take of a mesh, and what istiod makes of it. */
export async function translated(drawn: Mesh, istiod: Istiod): Promise<Translated> {
  const ours = refusedByUs(drawn.documents);
  const mesh = { ...drawn, documents: drawn.documents.filter((_document, index) => !ours.has(index)) };
  const answer = await istiod.ask({
    documents: mesh.documents.map((document) => JSON.stringify(document)),
    mesh: yamlOf(mesh.config),
    nodes: mesh.nodes,
  });
  return { mesh: { ...mesh, documents: mesh.documents.filter((_document, index) => answer.refused[index] === undefined) }, answer };
}

/** The same, and whether one of their chains looks at a handshake. */
export function tlsByPort(dump: Dump): Map<number, boolean> {
  const secure = (listener: unknown): boolean => JSON.stringify(listener).includes('tls_inspector');
  return new Map(portsOf(dump).map((port, at) => [port, secure((dump.listeners ?? [])[at])]));
}

/** Ports of a gateway's listeners. */
export function portsOf(dump: Dump): number[] {
  return (dump.listeners ?? []).map(({ address }) => (address as { socket_address: { port_value: number } }).socket_address.port_value);
}
