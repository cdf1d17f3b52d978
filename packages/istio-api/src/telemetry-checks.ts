import { parse } from '@marcbachmann/cel-js';
import { checkTargets } from './policy-target-checks.ts';
import type { TelemetrySpec } from './types/telemetry.ts';
import type { Path, Report } from './validate.ts';

/** Expressions are read here, as istiod does, so that no client gets one that it has to refuse. */
export function checkTelemetry(spec: TelemetrySpec, report: Report): void {
  checkTargets(spec, report);
  for (const [index, { filter }] of (spec.accessLogging ?? []).entries())
    checkCel(filter?.expression, ['spec', 'accessLogging', index, 'filter', 'expression'], report);
  for (const [index, { overrides = [] }] of (spec.metrics ?? []).entries()) {
    for (const [at, { tagOverrides = {} }] of overrides.entries()) {
      for (const [tag, { value }] of Object.entries(tagOverrides))
        checkCel(value, ['spec', 'metrics', index, 'overrides', at, 'tagOverrides', tag, 'value'], report);
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
