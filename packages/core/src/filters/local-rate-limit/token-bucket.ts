import type { Clock } from '../../ports.ts';

export interface TokenBucketSpec {
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
}

/** As Envoy's AtomicTokenBucket: tokens flow in evenly (`tokensPerFill` per interval), up to `maxTokens`; it starts full. */
export class TokenBucket {
  readonly spec: TokenBucketSpec;
  /** Tokens per millisecond. */
  readonly fillRate: number;
  private readonly clock: Clock;
  private tokens: number;
  private filledAt: number;

  constructor(spec: TokenBucketSpec, clock: Clock) {
    this.spec = spec;
    this.fillRate = spec.tokensPerFill / spec.fillIntervalMs;
    this.clock = clock;
    this.tokens = spec.maxTokens;
    this.filledAt = clock.now();
  }

  /** Takes a token; false when there is no whole one. */
  take(): boolean {
    this.fill();
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }

  /** Whole tokens. */
  get remaining(): number {
    this.fill();
    return Math.floor(this.tokens);
  }

  /** Seconds until the next token, rounded up; 0 while there is one. */
  get resetSeconds(): number {
    this.fill();
    return this.tokens >= 1 ? 0 : Math.ceil((1 - this.tokens) / this.fillRate / 1000);
  }

  private fill(): void {
    const { maxTokens, tokensPerFill, fillIntervalMs } = this.spec;
    const now = this.clock.now();
    // Multiplied first: a whole interval gives exactly its tokens.
    this.tokens = Math.min(maxTokens, this.tokens + ((now - this.filledAt) * tokensPerFill) / fillIntervalMs);
    this.filledAt = now;
  }
}
