import type { Exchange, MetricOverride, Outcome } from '@ripstop/core';
import type { Cell, Cells, Labels } from './cell.ts';

/** How the standard metrics are counted for exchanges of one kind, when Telemetry changes something about them. */
export interface MetricPlan {
  record(x: Exchange, outcome: Outcome): void;
}

/** Adds one metric's part of an exchange to a cell. */
type Add = (cell: Cell, x: Exchange, outcome: Outcome) => void;

/** By name, without `istio_`. */
const METRICS: readonly (readonly [name: string, add: Add])[] = [
  ['requests_total', (cell) => cell.requests++],
  ['request_duration_milliseconds', (cell, x, outcome) => cell.duration.observe(outcome.endedAt - x.startedAt)],
  ['request_bytes', (cell, _x, outcome) => cell.requestBytes.observe(outcome.requestBytes)],
  ['response_bytes', (cell, _x, outcome) => cell.responseBytes.observe(outcome.responseBytes)],
];

/** Each metric gets labels, and so a cell, of its own; one that is dropped gets none. */
export function planOf(overrides: readonly MetricOverride[], labels: Labels, cells: Cells<Cell>): MetricPlan {
  const steps = METRICS.flatMap(([name, add]) => {
    const step = stepOf(overridesOf(overrides, name), labels, cells, add);
    return step === undefined ? [] : [step];
  });
  return {
    record(x, outcome) {
      for (const step of steps) step(x, outcome);
    },
  };
}

function stepOf(overrides: readonly MetricOverride[], labels: Labels, cells: Cells<Cell>, add: Add): MetricPlan['record'] | undefined {
  const cellOf = cellFinder(overrides, labels, cells);
  return cellOf === undefined ? undefined : (x, outcome) => add(cellOf(x, outcome), x, outcome);
}

/** Finds the cell of one metric, whose labels Telemetry has changed; undefined = the metric is dropped. */
export function cellFinder<C>(
  overrides: readonly MetricOverride[],
  labels: Labels,
  cells: Cells<C>,
): ((x: Exchange, outcome: Outcome) => C) | undefined {
  let dropped = false;
  const fixed: Record<string, string> = { ...labels };
  const computed = new Map<string, (x: Exchange, outcome: Outcome) => string>();
  for (const { drop, removed, tags } of overrides) {
    dropped = drop;
    for (const [name, value] of tags) computed.set(name, value);
    for (const name of removed) {
      delete fixed[name];
      computed.delete(name);
    }
  }
  if (dropped) return undefined;
  if (computed.size === 0) {
    const cell = cells.of(fixed);
    return () => cell;
  }
  return (x, outcome) => {
    const all = { ...fixed };
    for (const [name, value] of computed) all[name] = value(x, outcome);
    return cells.of(all);
  };
}

/** Those that speak of a metric. */
export function overridesOf(overrides: readonly MetricOverride[], name: string): readonly MetricOverride[] {
  return overrides.filter(({ metric }) => metric === '' || metric === name);
}
