import type { Report } from '../validate.ts';
import { checkLabels } from './names.ts';

interface WorkloadGroupFields {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly probe?: object;
}

const METHODS = ['httpGet', 'tcpSocket', 'exec'];

/** istiod's rules (ValidateWorkloadGroup) beside those of the CRD. */
export function checkWorkloadGroup({ metadata, probe }: WorkloadGroupFields, report: Report): void {
  checkLabels(metadata?.labels, ['spec', 'metadata', 'labels'], report);
  if (probe !== undefined && !METHODS.some((method) => method in probe))
    report('RIPSTOP_MISSING_FIELD', 'error', ['spec', 'probe'], `a probe needs one of ${METHODS.join(', ')}`);
}
