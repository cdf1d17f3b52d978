/** Answers of one kind in the interval that is running. */
export class RateCounter {
  requests = 0;
  successes = 0;

  add(success: boolean): void {
    this.requests++;
    if (success) this.successes++;
  }

  reset(): void {
    this.requests = 0;
    this.successes = 0;
  }
}

/** What the detector keeps per host. */
export class HostHealth {
  ejected = false;
  ejectedAt = 0;
  /** Added to this ejection's time. */
  jitterMs = 0;
  /** Ejection time is base × this. */
  multiplier = 0;
  unejectedAt = 0;
  consecutive5xx = 0;
  consecutiveGateway = 0;
  consecutiveLocalOrigin = 0;
  /** Responses; without the split local-origin errors too. */
  readonly external: RateCounter = new RateCounter();
  /** Connections and what became of them; counted only when local-origin errors are split off. */
  readonly localOrigin: RateCounter = new RateCounter();
}
