import { textOf } from '../istiod/compare-mesh.ts';
import type { Difference } from './trial.ts';

/** The same in every report; the seed makes them again. */
const MACHINES: ReadonlySet<string> = new Set(['Namespace', 'Node', 'Pod', 'EndpointSlice']);

/** A difference for a person: where, what differs, the request, and the mesh as a user would write it down. */
export function show(seed: number, { trial, request, lines, accounts }: Difference): string {
  return [
    `seed ${seed}, ${trial.place} ${trial.node}:`,
    ...lines.map((line) => `  ${line}`),
    ...(accounts === undefined ? [] : [`  Envoy's log ${JSON.stringify(accounts.envoy)}`, `  the SDK's ${JSON.stringify(accounts.sdk)}`]),
    ...(request === undefined ? [] : [`  request ${JSON.stringify(request)}`]),
    textOf({ ...trial.mesh, documents: trial.mesh.documents.filter(({ kind }) => !MACHINES.has(kind)) }),
  ].join('\n');
}
