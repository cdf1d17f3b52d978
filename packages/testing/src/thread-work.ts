import { createHook } from 'node:async_hooks';

/** Signatures, digests, ciphers, files and names; random bytes and keys are mostly made at once, which looks the same. */
const OF_A_THREAD = /^(SIGN|VERIFY|HASH|CIPHER|DERIVEBITS|HKDF|PBKDF2|SCRYPT)REQUEST$|^FSREQ|^GET(ADDR|NAME)INFOREQWRAP$/;
/** Of work that was done at once (`scryptSync`) nobody says that it has ended. */
const LONGEST_MS = 1_000;

/** Counts what runs on other threads and has not come back: while there is any, nothing is known to be quiet. */
export class ThreadWork {
  private readonly begun = new Map<number, number>();
  private readonly hook = createHook({
    init: (id, type) => {
      if (OF_A_THREAD.test(type)) this.begun.set(id, performance.now());
    },
    before: (id) => void this.begun.delete(id),
    destroy: (id) => void this.begun.delete(id),
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
  }
}
