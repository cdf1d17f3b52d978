import { MESSAGE_TYPES, type MessageType } from '../../packages/istio-api/src/index.ts';
import { code, generatedFrom, table } from './markdown.ts';

/** docs/reference/analysis.md. */
export function renderAnalysis(): string {
  const is = (istio: boolean, applies: boolean): readonly MessageType[] =>
    MESSAGE_TYPES.filter((type) => type.code.startsWith('IST') === istio && type.applies === applies);
  const rows = (types: readonly MessageType[]): string[][] => types.map((type) => [code(type.code), type.name, type.severity, type.when]);
  const own = is(false, true).map((type) => [code(type.code), type.severity, type.when]);
  return `${generatedFrom('packages/istio-api/src/analysis')}

# Analysis

What documents say about each other, as \`istioctl analyze\` finds it: \`ripstop analyze\`, the live page and the log of the control plane show it, with the object, file:line:column, the value and the way out. Codes, names and levels are Istio's; \`npm run test:interop\` holds the findings against those of istioctl's analyzers, over the inputs of Istio's own tests and over Istio's samples. A finding of the analysis never takes a document out of force: an error means that something will not work.

"The documents tell of workloads" when one is a Pod, a Deployment, a StatefulSet, a DaemonSet, a ReplicaSet or a Job: labels are then compared with theirs, and with those of WorkloadEntries and of endpoints of ServiceEntries, as they will run. Processes of Ripstop join while it runs, so that documents without Pods say nothing about who is there. The annotation \`galley.istio.io/analyze-suppress\` of an object (\`IST0118,IST0127\`, or \`*\`) leaves findings about it out.

Mistakes in one document by itself have codes of their own: [errors](errors.md).

## Codes of Istio that are found

${table(['code', 'name', 'level', 'when'], rows(is(true, true)))}

## Codes of our own

${table(['code', 'level', 'when'], own)}

## Codes of Istio that are never found, and why

${table(['code', 'name', 'level', 'why'], rows(is(true, false)))}
`;
}
