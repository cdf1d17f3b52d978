import type { PilotMetrics, Trigger } from '../metrics/pilot-metrics.ts';
import { PushContext, type PushInput } from '../push/push-context.ts';
import { reasonOf } from '../reason-of.ts';

export interface CurrentPushOptions {
  /** What a push is made of now. */
  readonly input: () => PushInput;
  readonly metrics: PilotMetrics;
  /** Hands a new push to the clients. */
  readonly onPush: (push: PushContext) => void;
  readonly onProblem: (message: string) => void;
}

/** The push in force. One that cannot be made leaves the last one in force. */
export class CurrentPush {
  private readonly options: CurrentPushOptions;
  private push: PushContext;
  /** When what a push is made of changed. */
  private readonly changedAt = new WeakMap<PushContext, number>();

  constructor(first: PushContext, options: CurrentPushOptions) {
    this.push = first;
    this.options = options;
  }

  get context(): PushContext {
    return this.push;
  }

  rebuild(trigger: Trigger): void {
    const { input, metrics, onPush, onProblem } = this.options;
    const started = performance.now();
    try {
      this.push = new PushContext(input(), this.push);
    } catch (error) {
      onProblem(`the configuration cannot be put together (${reasonOf(error)}); the last one stays`);
      return;
    }
    this.changedAt.set(this.push, started);
    metrics.triggered(trigger, performance.now() - started);
    onPush(this.push);
  }

  /** A client has everything of this push. */
  converged(push: PushContext): void {
    this.options.metrics.converged(performance.now() - (this.changedAt.get(push) ?? performance.now()));
  }
}
