import type { ObjectMeta } from '../object.ts';
import type { DestinationRuleSpec } from '../types/networking.ts';
import type { Report } from '../validate.ts';
import { checkSubsetName } from './destinations.ts';
import { checkExportTo } from './export-to.ts';
import { checkLabels, wildcardHostProblem } from './names.ts';
import { checkTrafficPolicy } from './traffic-policy.ts';

/** istiod's rules (ValidateDestinationRule). */
export function checkDestinationRule(spec: DestinationRuleSpec, { namespace }: ObjectMeta, report: Report): void {
  const problem = wildcardHostProblem(spec.host);
  if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', ['spec', 'host'], problem);
  checkTrafficPolicy(spec.trafficPolicy, ['spec', 'trafficPolicy'], report, namespace);
  const seen = new Set<string>();
  for (const [index, { name, labels, trafficPolicy }] of (spec.subsets ?? []).entries()) {
    const path = ['spec', 'subsets', index];
    if (seen.has(name))
      report('RIPSTOP_BAD_VALUE', 'error', [...path, 'name'], `duplicate subset ${JSON.stringify(name)}: name them apart`);
    seen.add(name);
    checkSubsetName(name, [...path, 'name'], report);
    checkLabels(labels, [...path, 'labels'], report);
    checkTrafficPolicy(trafficPolicy, [...path, 'trafficPolicy'], report, namespace);
  }
  checkExportTo(spec, namespace, 'DestinationRule', report);
}
