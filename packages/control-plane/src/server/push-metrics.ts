import { typeName } from '@ripstop/xds-api';
import type { StoreState } from '../source/object-store.ts';

/** Upper bounds in seconds, istiod's. */
const BUCKETS = [0.01, 0.1, 1, 3, 5, 10, 20, 30];

/** istiod's metrics that its dashboards draw, as far as this control plane has them. */
export class PushMetrics {
  private readonly refusals = new Map<string, number>();
  private readonly counts: number[] = BUCKETS.map(() => 0);
  private pushes = 0;
  private seconds = 0;

  pushed(ms: number): void {
    this.pushes++;
    this.seconds += ms / 1000;
    for (const [index, bound] of BUCKETS.entries()) if (ms / 1000 <= bound) this.counts[index]!++;
  }

  refused(typeUrl: string): void {
    const name = typeName(typeUrl).split('.').at(-1)!;
    this.refusals.set(name, (this.refusals.get(name) ?? 0) + 1);
  }

  /** Prometheus text. */
  render(connected: number, state: StoreState): string {
    const failed = state.findings.filter(({ severity }) => severity === 'error').length;
    const lines = [
      '# TYPE pilot_xds gauge',
      `pilot_xds ${connected}`,
      '# TYPE pilot_push_triggers counter',
      `pilot_push_triggers ${this.pushes}`,
      '# TYPE pilot_xds_push_time histogram',
      ...BUCKETS.map((bound, index) => `pilot_xds_push_time_bucket{le="${bound}"} ${this.counts[index]}`),
      `pilot_xds_push_time_bucket{le="+Inf"} ${this.pushes}`,
      `pilot_xds_push_time_sum ${this.seconds}`,
      `pilot_xds_push_time_count ${this.pushes}`,
      '# TYPE pilot_total_xds_rejects counter',
      ...[...this.refusals].map(([type, count]) => `pilot_total_xds_rejects{type="${type}"} ${count}`),
      '# TYPE galley_validation_passed gauge',
      `galley_validation_passed ${state.objects.length}`,
      '# TYPE galley_validation_failed gauge',
      `galley_validation_failed ${failed}`,
    ];
    return `${lines.join('\n')}\n`;
  }
}
