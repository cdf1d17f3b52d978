import type { Scheduler } from '../registry/workload-registry.ts';
import { type Newcomer, Newcomers } from './newcomers.ts';

/** How much may be on its way to all clients together before others wait: a cold start must not fill the memory. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024;
/** A client with more than this unread gets nothing new. */
const CLIENT_UNREAD_BYTES = 128 * 1024;
/** Work of so long, and then the event loop looks after everything else. */
const SLICE_MS = 3;
/** As much handed over is work for the sockets, which take it before the loop goes on. */
const SLICE_BYTES = 4 * 1024 * 1024;
/** Whoever reads nothing for so long does not hold up others any more. */
const STALLED_MS = 1000;

/** Work for one client; true: it is not done, and goes on when others have had their turn. */
export type Work = () => unknown;

/** The work that waits for one client, in order, and what it has not read yet. */
export class Turn implements Newcomer {
  readonly work: Work[] = [];
  unreadBytes = 0;
  /** Part of `unreadBytes` that others wait for. */
  countedBytes = 0;
  readonly sinceMs: number = performance.now();
  activeMs: number = this.sinceMs;
  sentBytes = 0;
  private readonly turns: Turns;

  constructor(turns: Turns) {
    this.turns = turns;
    turns.newcomers.add(this);
  }

  get isWaiting(): boolean {
    return this.work.length > 0 && this.unreadBytes <= CLIENT_UNREAD_BYTES;
  }

  /** It is in its first exchange, as far as is known. */
  get isNewcomer(): boolean {
    return this.turns.newcomers.has(this);
  }

  /** Its first exchange is over. */
  settled(): void {
    this.turns.newcomers.delete(this);
  }

  /** Runs work when this client has read what it was sent, and others have had their turn. */
  take(work: Work): void {
    this.activeMs = performance.now();
    this.work.push(work);
    this.turns.queue(this);
  }

  wrote(bytes: number): void {
    this.sentBytes += bytes;
    this.unreadBytes += bytes;
    this.turns.count(this, bytes);
  }

  read(bytes: number): void {
    this.activeMs = performance.now();
    this.unreadBytes -= bytes;
    this.turns.count(this, -Math.min(bytes, this.countedBytes));
    this.turns.queue(this);
  }

  /** The client is gone, and what it has not read with it. */
  end(): void {
    this.work.length = 0;
    this.unreadBytes = 0;
    this.turns.count(this, -this.countedBytes);
    this.turns.newcomers.delete(this);
    this.turns.queue(this);
  }
}

/**
 * Clients take turns: one piece of work each, in slices that leave the event loop free in between, and only while what is on its way
 * is bounded (HTTP/2 flow control holds back what a client does not read).
 */
export class Turns {
  readonly newcomers: Newcomers = new Newcomers(() => performance.now());
  private readonly scheduler: Scheduler;
  private unreadBytes = 0;
  /** Handed over since the slice began. */
  private sliceBytes = 0;
  private readonly unread = new Set<Turn>();
  private readonly waiting = new Set<Turn>();
  private scheduled = false;
  private stall: { cancel(): void } | undefined;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  queue(turn: Turn): void {
    if (turn.work.length > 0) this.waiting.add(turn);
    if (this.scheduled || this.waiting.size === 0) return;
    this.scheduled = true;
    setImmediate(() => this.run());
  }

  count(turn: Turn, bytes: number): void {
    turn.countedBytes += bytes;
    if (bytes > 0) this.sliceBytes += bytes;
    this.unreadBytes += bytes;
    if (turn.countedBytes > 0) this.unread.add(turn);
    else this.unread.delete(turn);
  }

  close(): void {
    this.stall?.cancel();
  }

  private run(): void {
    this.scheduled = false;
    const endMs = performance.now() + SLICE_MS;
    this.sliceBytes = 0;
    for (const turn of this.waiting) {
      if (this.unreadBytes > MAX_UNREAD_BYTES) {
        this.watchStall();
        return; // Goes on when somebody has read.
      }
      this.waiting.delete(turn);
      if (turn.unreadBytes > CLIENT_UNREAD_BYTES) continue; // It comes back when it has read.
      const [work] = turn.work;
      if (work?.() !== true && turn.work[0] === work) turn.work.shift();
      if (turn.work.length > 0) this.waiting.add(turn);
      if (performance.now() >= endMs || this.sliceBytes > SLICE_BYTES) break;
    }
    const [next] = this.waiting;
    if (next !== undefined) this.queue(next);
  }

  /** Clients that stopped reading must not hold up the rest: after a while what they have not read counts no more. */
  private watchStall(): void {
    if (this.stall !== undefined) return;
    const before = new Map([...this.unread].map((turn) => [turn, turn.countedBytes]));
    this.stall = this.scheduler.setTimer(() => {
      this.stall = undefined;
      for (const [turn, bytes] of before) if (turn.countedBytes >= bytes) this.count(turn, -turn.countedBytes);
      const [next] = this.waiting;
      if (next !== undefined) this.queue(next);
    }, STALLED_MS);
  }
}
