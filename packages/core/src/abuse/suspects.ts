import type { Peer } from '../exchange.ts';
import type { Clock } from '../ports.ts';

const SUSPECT_MS = 10_000;
const MAX_SUSPECTS = 10_000;
/** Long beside a handshake, short beside a timeout. */
const WAIT_MS = 250;
/** Between two connections of one suspect: what they cost is little, and is not paid at once. */
const APART_MS = 25;
const MAX_WAIT_MS = 5_000;

/** Its identity was verified, or it has none. */
type Caller = Pick<Peer, 'uriSans' | 'address'>;

interface Suspect {
  until: number;
  /** When its next connection may be let in. */
  next: number;
}

/**
 * Callers that have abused a connection: by identity when they have one, else by address. Who is thrown out and comes again at once would
 * cost as much as before, so connections of suspects are let in late and one after the other; others behind the same address are served.
 */
export class Suspects {
  private readonly clock: Clock;
  private readonly suspects = new Map<string, Suspect>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** For ten seconds from now. */
  add(peer: Caller): void {
    const key = keyOf(peer);
    const now = this.clock.now();
    const next = this.suspects.get(key)?.next ?? now;
    this.suspects.delete(key);
    if (this.suspects.size >= MAX_SUSPECTS) this.suspects.delete(this.suspects.keys().next().value!);
    // Behind all others: the oldest stands first.
    this.suspects.set(key, { until: now + SUSPECT_MS, next });
  }

  /** Milliseconds until a connection of this caller may be let in: 0 = it is no suspect, undefined = too many of them wait. */
  waitOf(peer: Caller): number | undefined {
    if (this.suspects.size === 0) return 0;
    const key = keyOf(peer);
    const suspect = this.suspects.get(key);
    if (suspect === undefined) return 0;
    const now = this.clock.now();
    if (suspect.until <= now) {
      this.suspects.delete(key);
      return 0;
    }
    const at = Math.max(now + WAIT_MS, suspect.next);
    if (at > now + MAX_WAIT_MS) return undefined;
    suspect.next = at + APART_MS;
    return at - now;
  }
}

function keyOf({ uriSans, address }: Caller): string {
  return uriSans[0] ?? address;
}
