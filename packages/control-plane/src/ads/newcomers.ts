/** So many have their first exchange at a time: what each of them sends comes all at once, and is read before the event loop goes on. */
const MOST = 16;
/**
 * Who has answered a set of everything is done (`XdsSession.hasFirstSet`). Not everybody asks for everything: whoever waits for nothing
 * of ours, and was silent for so long, ms, is in no exchange any more either.
 */
const SETTLED_MS = 8;
/** On top of that it has the time to read what it was sent, before it asks for what that names: so many bytes each ms. */
const READ_BYTES = 48 * 1024;
/** Nor is anybody after so long, whatever it does: it must not keep others out, ms. */
const LONGEST_MS = 1_000;

/** A client's share of the control plane, as far as it matters here. */
export interface Newcomer {
  /** When it came, and when it last had work for us or read something, on the clock of `Newcomers`. */
  readonly sinceMs: number;
  readonly activeMs: number;
  /** In all. */
  readonly sentBytes: number;
  /** It waits for the control plane, not for the network or for itself. */
  readonly isWaiting: boolean;
}

/**
 * Clients in their first exchange. Hundreds that come back at once are served some at a time, as by istiod
 * (`PILOT_MAX_REQUESTS_PER_SECOND`, a fixed rate there): all of them together hold up everybody else, and where there is much
 * to send they are no sooner done.
 */
export class Newcomers {
  private readonly now: () => number;
  private readonly all = new Set<Newcomer>();

  constructor(now: () => number) {
    this.now = now;
  }

  add(newcomer: Newcomer): void {
    this.all.add(newcomer);
  }

  has(newcomer: Newcomer): boolean {
    return this.all.has(newcomer);
  }

  delete(newcomer: Newcomer): void {
    this.all.delete(newcomer);
  }

  /** Another one can be let in. */
  get haveRoom(): boolean {
    if (this.all.size < MOST) return true;
    const nowMs = this.now();
    for (const newcomer of this.all) {
      const isSettled = !newcomer.isWaiting && nowMs - newcomer.activeMs > SETTLED_MS + newcomer.sentBytes / READ_BYTES;
      if (isSettled || nowMs - newcomer.sinceMs > LONGEST_MS) this.all.delete(newcomer);
    }
    return this.all.size < MOST;
  }
}
