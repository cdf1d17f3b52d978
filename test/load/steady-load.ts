/** Real or virtual time. */
export interface LoadClock {
  now(): number;
  setTimer(run: () => void, delayMs: number): { cancel(): void };
}

export interface Tally {
  readonly calls: number;
  readonly failed: number;
  /** Of the first failures: status, or the error. */
  readonly reasons: readonly string[];
}

const MOST_REASONS = 5;
/** Calls that are due within one tick are made together. */
const TICK_MS = 4;

/** Calls at a steady rate, whatever the answers take, until it is stopped; then it waits for those under way. */
export class SteadyLoad {
  private readonly clock: LoadClock;
  private readonly call: () => Promise<number>;
  private readonly perMs: number;
  private readonly startedAt: number;
  private readonly running = new Set<Promise<void>>();
  private readonly reasons: string[] = [];
  private made = 0;
  private failed = 0;
  private stopped = false;

  /** `call` answers the status. */
  constructor(clock: LoadClock, perSecond: number, call: () => Promise<number>) {
    this.clock = clock;
    this.call = call;
    this.perMs = perSecond / 1000;
    this.startedAt = clock.now();
    this.tick();
  }

  async stop(): Promise<Tally> {
    this.stopped = true;
    await Promise.all(this.running);
    return { calls: this.made, failed: this.failed, reasons: this.reasons };
  }

  private tick(): void {
    if (this.stopped) return;
    for (const due = (this.clock.now() - this.startedAt) * this.perMs; this.made < due; this.made++) this.begin();
    this.clock.setTimer(() => this.tick(), TICK_MS);
  }

  private begin(): void {
    const one = this.call().then(
      (status) => this.end(status === 200 ? undefined : String(status)),
      (error: unknown) => this.end(String(error)),
    );
    this.running.add(one);
    void one.then(() => this.running.delete(one));
  }

  private end(reason: string | undefined): void {
    if (reason === undefined) return;
    this.failed++;
    if (this.reasons.length < MOST_REASONS) this.reasons.push(reason);
  }
}
