import type { Clock, ConfigUpdate, LastUse, Timer } from '@ripstop/core';

export interface HostSubscriptionsEnv {
  readonly clock: Clock;
  /** What is asked for has changed. */
  onChange(): void;
  /** When what has come under a name was used last. */
  lastUse(name: string): LastUse | undefined;
  /** It is not asked for any longer. */
  forget(name: string): void;
}

interface Asked {
  state: 'waiting' | 'here' | 'absent';
  askedAt: number;
  /** Shared by all requests that wait for it. */
  readonly answered: Promise<void>;
  answer(): void;
}

/** Names at a time. Callers choose hosts: without a bound they would choose how much memory it takes. */
const MAX_NAMES = 2_000;
/** A host that nobody has asked for this long is given back. */
const IDLE_MS = 10 * 60_000;
const SWEEP_MS = 60_000;

/**
 * The virtual hosts that callers have asked for, `<route configuration>/<host>`: each is subscribed to once, whoever else asks, and given
 * back when nobody does. There is room for 2,000: it is made of those that do not exist first, then of those that were unused for longest.
 */
export class HostSubscriptions {
  private readonly env: HostSubscriptionsEnv;
  private readonly asked = new Map<string, Asked>();
  private sweep: Timer | undefined;

  constructor(env: HostSubscriptionsEnv) {
    this.env = env;
  }

  get names(): readonly string[] {
    return [...this.asked.keys()];
  }

  /** Resolves when the answer is in force. Undefined: it is known already, or as many wait as there is room for. */
  ask(name: string): Promise<void> | undefined {
    const now = this.env.clock.now();
    const known = this.asked.get(name);
    if (known !== undefined) {
      known.askedAt = now;
      return known.state === 'waiting' ? known.answered : undefined;
    }
    if (this.asked.size >= MAX_NAMES && !this.makeRoom()) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.asked.set(name, { state: 'waiting', askedAt: now, answered: promise, answer: resolve });
    this.env.onChange();
    this.sweep ??= this.env.clock.setTimer(() => this.giveBack(), SWEEP_MS);
    return promise;
  }

  /** An update is in force: whoever waits for its names goes on. */
  settle({ resources, removed }: ConfigUpdate, refused: readonly { readonly name: string }[]): void {
    for (const { name, aliases = [] } of resources) {
      if (refused.some((refusal) => refusal.name === name)) continue;
      for (const each of [name, ...aliases]) this.answer(each, 'here');
    }
    for (const name of removed) this.answer(name, 'absent');
  }

  /** Forgets what was asked of other route configurations than these. */
  keepTables(tables: readonly string[]): void {
    for (const [name, entry] of this.asked) {
      if (tables.includes(name.slice(0, name.lastIndexOf('/')))) continue;
      entry.answer();
      this.asked.delete(name);
    }
  }

  close(): void {
    this.sweep?.cancel();
    for (const entry of this.asked.values()) entry.answer();
  }

  private answer(name: string, state: 'here' | 'absent'): void {
    const entry = this.asked.get(name);
    if (entry === undefined) return;
    entry.state = state;
    entry.answer();
  }

  private usedAt(name: string, { askedAt }: Asked): number {
    return Math.max(askedAt, this.env.lastUse(name)?.at ?? 0);
  }

  private giveBack(): void {
    this.sweep = undefined;
    const now = this.env.clock.now();
    // Also one that nobody answers: no request waits that long by itself.
    const idle = [...this.asked].filter(([name, entry]) => now - this.usedAt(name, entry) >= IDLE_MS);
    for (const [name] of idle) this.drop(name);
    if (idle.length > 0) this.env.onChange();
    if (this.asked.size > 0) this.sweep = this.env.clock.setTimer(() => this.giveBack(), SWEEP_MS);
  }

  private makeRoom(): boolean {
    const oldest = this.unusedLongest('absent') ?? this.unusedLongest('here');
    if (oldest !== undefined) this.drop(oldest);
    return oldest !== undefined;
  }

  private unusedLongest(state: Asked['state']): string | undefined {
    let found: { readonly name: string; readonly at: number } | undefined;
    for (const [name, entry] of this.asked) {
      if (entry.state !== state) continue;
      const at = this.usedAt(name, entry);
      if (found === undefined || at < found.at) found = { name, at };
    }
    return found?.name;
  }

  private drop(name: string): void {
    this.asked.get(name)?.answer();
    this.asked.delete(name);
    this.env.forget(name);
  }
}
