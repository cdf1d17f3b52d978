import { ThreadWork } from './thread-work.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Turns of the event loop without a sign of life after which nothing is on its way any more. */
const QUIET_TURNS = 8;
/** A wait of more virtual time than this is a wait for something that does not come. */
const HORIZON_MS = 24 * 3_600_000;

export interface VirtualTimeOptions {
  readonly clock: VirtualClock;
  /** A number that changes whenever something happens. */
  readonly activity: () => number;
  /**
   * Real milliseconds without a sign of life before time moves, for what gives none (real sockets of an app, workers). Crypto, files
   * and DNS are waited for without it. Default 0.
   */
  readonly patienceMs?: number;
}

/** Moves a clock: whenever everything waits for a timer, the next one is due. */
export class VirtualTime {
  private readonly options: VirtualTimeOptions;
  private readonly threads = new ThreadWork();
  private running: Promise<void> | undefined;
  private readonly waitedFor = new Set<Promise<unknown>>();

  constructor(options: VirtualTimeOptions) {
    this.options = options;
  }

  /** The result of `work`, with all the time that it takes passing at once. */
  async until<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => void this.waitedFor.delete(settled),
      () => void this.waitedFor.delete(settled),
    );
    this.waitedFor.add(settled);
    this.threads.watch();
    this.running ??= this.run().finally(() => {
      this.threads.ignore();
      this.running = undefined;
    });
    return Promise.race([work, this.running.then(() => work)]);
  }

  /** Lets so much time pass, with everything that is due in it. */
  async pass(ms: number): Promise<void> {
    const { clock } = this.options;
    await this.until(new Promise<void>((resolve) => void clock.setTimer(resolve, ms)));
    await this.quiet(() => false);
  }

  private async run(): Promise<void> {
    const { clock } = this.options;
    const end = clock.now() + HORIZON_MS;
    const isDone = (): boolean => this.waitedFor.size === 0;
    for (;;) {
      await this.quiet(isDone);
      if (isDone()) return;
      if (!clock.step()) throw new Error('nothing is on its way and no timer is set: what is waited for never comes');
      if (clock.now() > end) throw new Error(`what is waited for did not come within ${HORIZON_MS / 3_600_000} h of virtual time`);
    }
  }

  private async quiet(isDone: () => boolean): Promise<void> {
    const { patienceMs = 0 } = this.options;
    for (let turns = 0, seen = this.signs(); turns < QUIET_TURNS && !isDone(); turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (turns === QUIET_TURNS - 1 && patienceMs > 0) await new Promise((resolve) => setTimeout(resolve, patienceMs));
      const now = this.signs();
      if (now !== seen || this.threads.pending) turns = -1;
      seen = now;
    }
  }

  private signs(): number {
    return this.options.activity() + this.options.clock.timersSet;
  }
}
