/** So many in one round of the event loop, as long as rounds are short. */
const MOST = 8;
const FEWEST = 2;
/** A round of the event loop is to take no longer, ms. */
const ROUND_MS = 16;

/**
 * Acts on items in their order, a few in each round of the event loop. What an item causes comes after it, in other phases of the loop:
 * how many are too many is seen by how long the round took.
 */
export class Paced<Item> {
  private readonly act: (item: Item) => void;
  private waiting: Item[] = [];
  private next = 0;
  private atOnce = FEWEST;
  private beganMs = 0;

  constructor(act: (item: Item) => void) {
    this.act = act;
  }

  add(item: Item): void {
    this.waiting.push(item);
    if (this.waiting.length > 1) return;
    this.beganMs = performance.now();
    setImmediate(() => this.round());
  }

  private round(): void {
    const nowMs = performance.now();
    const isLong = nowMs - this.beganMs > ROUND_MS;
    this.atOnce = isLong ? Math.max(this.atOnce >> 1, FEWEST) : Math.min(this.atOnce * 2, MOST);
    this.beganMs = nowMs;
    const last = Math.min(this.next + this.atOnce, this.waiting.length);
    try {
      while (this.next < last) this.act(this.waiting[this.next++]!);
    } finally {
      // One that fails must not hold up those behind it.
      this.goOn();
    }
  }

  private goOn(): void {
    if (this.next < this.waiting.length) setImmediate(() => this.round());
    else {
      this.waiting = [];
      this.next = 0;
    }
  }
}
