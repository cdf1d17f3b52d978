import { appendFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Issuance } from './ca-service.ts';

const FILE = 'issued.jsonl';
/** Two files of this size are kept at most: about 80,000 certificates. */
const MAX_BYTES = 10 * 1024 * 1024;

/** Who was given which certificate when, by what proof and from where: one JSON object per line in the state directory. */
export class IssuanceLog {
  private readonly file: string;
  private readonly now: () => number;
  private readonly maxBytes: number;

  constructor(stateDir: string, now: () => number, maxBytes: number = MAX_BYTES) {
    this.file = join(stateDir, FILE);
    this.now = now;
    this.maxBytes = maxBytes;
  }

  /** Throws when it cannot be written. */
  add({ spiffeId, serialNumber, notAfterMs, by, from }: Issuance): void {
    if ((statSync(this.file, { throwIfNoEntry: false })?.size ?? 0) >= this.maxBytes) renameSync(this.file, `${this.file}.1`);
    const time = new Date(this.now()).toISOString();
    const entry = { time, spiffeId, serialNumber, notAfter: new Date(notAfterMs).toISOString(), by, from };
    appendFileSync(this.file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
  }
}
