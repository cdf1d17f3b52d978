import { parse } from '@marcbachmann/cel-js';
import type { TelemetrySpec } from '../types/telemetry.ts';
import type { Path, Report } from '../validate.ts';
import { checkTargets } from './policy-targets.ts';

/** Expressions are read here, as istiod does, so that no client gets one that it has to refuse. */
export function checkTelemetry(spec: TelemetrySpec, report: Report): void {
  checkTargets(spec, report);
  for (const [index, { filter }] of (spec.accessLogging ?? []).entries()) {
    const path = ['spec', 'accessLogging', index, 'filter'];
    if (filter !== undefined && (filter.expression ?? '') === '')
      report('RIPSTOP_MISSING_FIELD', 'error', path, 'it filters by nothing: give a CEL expression, or leave it out');
    else checkCel(filter?.expression, [...path, 'expression'], report);
  }
  for (const [index, { overrides = [] }] of (spec.metrics ?? []).entries()) {
    for (const [at, { tagOverrides = {} }] of overrides.entries()) {
      for (const [tag, { operation = 'UPSERT', value = '' }] of Object.entries(tagOverrides)) {
        const path = ['spec', 'metrics', index, 'overrides', at, 'tagOverrides', tag];
        if (operation === 'UPSERT' && value === '')
          report('RIPSTOP_MISSING_FIELD', 'error', path, 'give the value of the tag, or operation REMOVE');
        else checkCel(value === '' ? undefined : value, [...path, 'value'], report);
      }
    }
  }
}

function checkCel(expression: string | undefined, path: Path, report: Report): void {
  if (expression === undefined) return;
  try {
    parse(expression);
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    report('RIPSTOP_BAD_VALUE', 'error', path, `must be a valid CEL expression, ${JSON.stringify(expression)} is not: ${reason}`);
  }
}
