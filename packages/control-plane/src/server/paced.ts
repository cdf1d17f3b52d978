/** So many in one round of the event loop, as long as rounds are short. */
const MOST = 8;
const FEWEST = 2;
/** A round of the event loop is to take no longer, ms. */
const ROUND_MS = 16;
/** Where there is no room, the fewest have their turn every so often nonetheless, ms: nobody can keep others out. */
const CROWDED_MS = 50;
/** And it is looked for again after so long, ms. */
const AGAIN_MS = 1;

/**
 * Acts on items in their order, a few in each round of the event loop. What an item causes comes after it, in other phases of the loop:
 * how many are too many is seen by how long the round took.
 */
export class Paced<Item> {
  private readonly act: (item: Item) => void;
  private readonly hasRoom: () => boolean;
  private waiting: Item[] = [];
  private next = 0;
  private atOnce = FEWEST;
  private beganMs = 0;

  /** While `hasRoom` says no, items wait. */
  constructor(act: (item: Item) => void, hasRoom: () => boolean = () => true) {
    this.act = act;
    this.hasRoom = hasRoom;
  }

  add(item: Item): void {
    this.waiting.push(item);
    if (this.waiting.length > 1) return;
    this.beganMs = performance.now();
    setImmediate(() => this.round());
  }

  private round(): void {
    const nowMs = performance.now();
    const tookMs = nowMs - this.beganMs;
    const isCrowded = !this.hasRoom();
    if (isCrowded && tookMs < CROWDED_MS) {
      setTimeout(() => this.round(), AGAIN_MS);
      return;
    }
    if (isCrowded) this.atOnce = FEWEST;
    else this.atOnce = tookMs > ROUND_MS ? Math.max(this.atOnce >> 1, FEWEST) : Math.min(this.atOnce * 2, MOST);
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
