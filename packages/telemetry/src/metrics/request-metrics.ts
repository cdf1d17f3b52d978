import type { Exchange, MetricOverride, Outcome } from '@ripstop/core';
import { Cell, Cells, type Labels } from './cell.ts';
import { ExchangeIndex } from './exchange-index.ts';
import { LabelMaker, type TelemetryNode } from './labels.ts';
import { type MetricPlan, planOf } from './metric-plan.ts';

/**
 * Istio's standard HTTP metrics. Per request: one look-up of its cell, and additions. Label strings are built only when a cell is made,
 * but for tags that Telemetry computes from the request.
 */
export class RequestMetrics {
  readonly cells: Cells<Cell> = new Cells((labels) => new Cell(labels));
  private readonly labels: LabelMaker;
  private readonly plain = new ExchangeIndex<Cell>();
  /** By the overrides of a listener; a push brings a new list. */
  private readonly overridden = new WeakMap<readonly MetricOverride[], ExchangeIndex<MetricPlan>>();

  constructor(node: TelemetryNode) {
    this.labels = new LabelMaker(node);
  }

  record(x: Exchange, outcome: Outcome): void {
    const { metrics } = x.manager;
    if (metrics.length > 0) {
      this.planFor(metrics, x, outcome).record(x, outcome);
      return;
    }
    const cell = this.plain.of(x, outcome, this.makeCell);
    cell.add(outcome.endedAt - x.startedAt, outcome.requestBytes, outcome.responseBytes);
  }

  private readonly makeCell = (x: Exchange, outcome: Outcome): Cell => this.cells.of(this.labelsOf(x, outcome));

  private planFor(metrics: readonly MetricOverride[], x: Exchange, outcome: Outcome): MetricPlan {
    let index = this.overridden.get(metrics);
    if (index === undefined) {
      index = new ExchangeIndex();
      this.overridden.set(metrics, index);
    }
    return index.of(x, outcome, (...exchange) => planOf(metrics, this.labelsOf(...exchange), this.cells));
  }

  private labelsOf(x: Exchange, outcome: Outcome): Labels {
    return x.direction === 'inbound' ? this.labels.inbound(x, outcome) : this.labels.outbound(x, outcome);
  }
}
