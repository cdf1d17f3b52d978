import { createHook } from 'node:async_hooks';

/** Signatures, digests, ciphers, files and names; random bytes and keys are mostly made at once, which looks the same. */
const OF_A_THREAD = /^(SIGN|VERIFY|HASH|CIPHER|DERIVEBITS|HKDF|PBKDF2|SCRYPT)REQUEST$|^FSREQ|^GET(ADDR|NAME)INFOREQWRAP$/;
/** A stream of node:zlib works in pieces, each on another thread: only the end of a piece is told, not whether the next one has begun. */
const OF_ZLIB = 'ZLIB';
/** Of work that was done at once (`scryptSync`) nobody says that it has ended. */
const LONGEST_MS = 1_000;
/** A stream that has done nothing for so long is taken to be done. */
const PIECE_MS = 30;

/** Counts what runs on other threads and has not come back: while there is any, nothing is known to be quiet. */
export class ThreadWork {
  private readonly begun = new Map<number, number>();
  private readonly zlib = new Set<number>();
  private readonly hook = createHook({
    init: (id, type) => {
      if (type === OF_ZLIB) this.zlib.add(id);
      if (type === OF_ZLIB || OF_A_THREAD.test(type)) this.begun.set(id, performance.now());
    },
    before: (id) => {
      if (this.zlib.has(id)) this.begun.set(id, performance.now() - LONGEST_MS + PIECE_MS);
      else this.begun.delete(id);
    },
    destroy: (id) => {
      this.begun.delete(id);
      this.zlib.delete(id);
    },
  });

  get pending(): boolean {
    const oldest = performance.now() - LONGEST_MS;
    for (const [id, at] of this.begun) if (at < oldest) this.begun.delete(id);
    return this.begun.size > 0;
  }

  watch(): void {
    this.hook.enable();
  }

  ignore(): void {
    this.hook.disable();
    this.begun.clear();
    this.zlib.clear();
  }
}
