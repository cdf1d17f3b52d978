import type { Report } from '../validate.ts';
import { isDnsLabel } from './names.ts';

interface Exported {
  readonly exportTo?: readonly string[];
  readonly workloadSelector?: object;
}

const PATH = ['spec', 'exportTo'];

/** Who sees an object (Istio: validateExportTo). `~`, nobody, is for ServiceEntries only. */
export function checkExportTo({ exportTo = [], workloadSelector }: Exported, namespace: string, kind: string, report: Report): void {
  const bad = (path: readonly (string | number)[], message: string): void => report('RIPSTOP_BAD_VALUE', 'error', path, message);
  const seen = new Set<string>();
  for (const [index, entry] of exportTo.entries()) {
    const at = [...PATH, index];
    const name = entry === '.' ? namespace : entry;
    if (seen.has(name))
      bad(at, `${JSON.stringify(entry)} stands here twice${entry === '.' ? `: it is namespace ${namespace}` : ''}: remove one`);
    else if (name === '~' && kind !== 'ServiceEntry')
      bad(at, `"~" hides ServiceEntries only: export a ${kind} to ".", and remove it to hide it`);
    else if (name !== '~' && name !== '*' && !isDnsLabel(name))
      bad(at, `${JSON.stringify(entry)} is no namespace: give ".", "*" or a name`);
    seen.add(name);
  }
  if (exportTo.length > 1 && seen.has('*')) bad(PATH, '"*" is every namespace: remove the others');
  if (exportTo.length > 1 && seen.has('~')) bad(PATH, '"~" is nobody: remove it, or the others');
  if (kind === 'DestinationRule' && workloadSelector !== undefined && (seen.size > 1 || (seen.size === 1 && !seen.has(namespace))))
    bad(PATH, 'a rule with a workloadSelector is for workloads of its own namespace: export it to "." only');
}
