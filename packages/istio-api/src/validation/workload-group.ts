import type { Report } from '../validate.ts';
import { checkLabels } from './names.ts';

interface WorkloadGroupFields {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly probe?: {
    readonly exec?: { readonly command?: readonly string[] };
    readonly httpGet?: { readonly httpHeaders?: readonly { readonly name?: string }[] };
  };
}

const METHODS = ['httpGet', 'tcpSocket', 'exec'];

/** istiod's rules (ValidateWorkloadGroup) beside those of the CRD. */
export function checkWorkloadGroup({ metadata, probe }: WorkloadGroupFields, report: Report): void {
  checkLabels(metadata?.labels, ['spec', 'metadata', 'labels'], report);
  if (probe !== undefined && !METHODS.some((method) => method in probe))
    report('RIPSTOP_MISSING_FIELD', 'error', ['spec', 'probe'], `a probe needs one of ${METHODS.join(', ')}`);
  if (probe?.exec?.command?.length === 0)
    report('RIPSTOP_MISSING_FIELD', 'error', ['spec', 'probe', 'exec', 'command'], 'give the command that is run');
  for (const [index, { name = '' }] of (probe?.httpGet?.httpHeaders ?? []).entries())
    if (name === '')
      report('RIPSTOP_MISSING_FIELD', 'error', ['spec', 'probe', 'httpGet', 'httpHeaders', index, 'name'], 'a header needs its name');
}
