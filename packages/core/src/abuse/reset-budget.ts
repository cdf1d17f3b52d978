/** Streams that a connection may take back before anybody has heard of them, per second. */
const MAX_UNHEARD = 100;
/** The same for who comes back after it was thrown out. */
const MAX_UNHEARD_OF_SUSPECTS = 20;
/** Envoy's overload.premature_reset_total_stream_count. */
const PREMATURE_LIMIT = 500;
/** Envoy's overload.premature_reset_min_stream_lifetime_seconds, as milliseconds. */
export const PREMATURE_MS = 1_000;

/**
 * Streams that a caller takes back cost it nothing (CVE-2023-44487): so many, and its connection ends. Counted are those that are gone
 * when they are heard of, by the second, and by Envoy's rule those that were taken back within their first second before any response:
 * 250 of the first 500, or half of more.
 */
export class ResetBudget {
  private readonly onSpent: () => void;
  private readonly perSecond: number;
  private unheard = 0;
  private since = Number.NEGATIVE_INFINITY;
  private ended = 0;
  private premature = 0;
  private spent = false;

  /** `onSpent` is called once. */
  constructor(suspect: boolean, onSpent: () => void) {
    this.perSecond = suspect ? MAX_UNHEARD_OF_SUSPECTS : MAX_UNHEARD;
    this.onSpent = onSpent;
  }

  /** A stream was gone when it was heard of; `now` as of `Clock.now()`. */
  onUnheard(now: number): void {
    if (now - this.since >= 1_000) {
      this.since = now;
      this.unheard = 0;
    }
    if (++this.unheard >= this.perSecond) this.spend();
  }

  /** A stream that was judged has ended. `premature`: the caller took it back within {@link PREMATURE_MS}, before any response. */
  onEnded(premature: boolean): void {
    this.ended++;
    if (!premature) return;
    this.premature++;
    if (this.premature * 2 >= Math.max(PREMATURE_LIMIT, this.ended)) this.spend();
  }

  private spend(): void {
    if (this.spent) return;
    this.spent = true;
    this.onSpent();
  }
}
