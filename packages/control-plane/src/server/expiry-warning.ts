const DAY_MS = 24 * 3_600_000;
/** Said once each, the last when it has happened. */
const STAGES_MS = [30 * DAY_MS, 7 * DAY_MS, DAY_MS, 0];

export interface ExpiryWarningOptions {
  /** What runs out: `the root certificate of the CA`. */
  readonly what: string;
  /** What to do about it. */
  readonly advice: string;
  /** Milliseconds since the epoch. */
  readonly notAfterMs: () => number;
  readonly now: () => number;
  readonly tell: (message: string) => void;
}

/** Tells of a certificate that runs out 30, 7 and 1 days before, and when it has. One that takes its place begins anew. */
export class ExpiryWarning {
  private readonly options: ExpiryWarningOptions;
  private notAfterMs = 0;
  private told = 0;

  constructor(options: ExpiryWarningOptions) {
    this.options = options;
  }

  look(): void {
    const { what, advice, notAfterMs, now, tell } = this.options;
    const endMs = notAfterMs();
    if (endMs !== this.notAfterMs) {
      this.notAfterMs = endMs;
      this.told = 0;
    }
    const restMs = endMs - now();
    const stage = STAGES_MS.filter((beforeMs) => restMs <= beforeMs).length;
    if (stage <= this.told) return;
    this.told = stage;
    const date = new Date(endMs).toISOString();
    const when = restMs <= 0 ? `has run out on ${date}` : `runs out on ${date}, in ${days(restMs)}`;
    tell(`${what} ${when}: ${advice}`);
  }
}

function days(ms: number): string {
  const whole = Math.floor(ms / DAY_MS);
  return whole === 0 ? 'less than a day' : whole === 1 ? '1 day' : `${whole} days`;
}
