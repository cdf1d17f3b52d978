import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'spent-tokens';

/** Single-use tokens that were used, by the hash of their id, until they would have expired anyway. Kept over restarts. */
export class SpentTokens {
  private readonly file: string | undefined;
  private readonly now: () => number;
  private known: Map<string, number> | undefined;

  constructor(stateDir: string | undefined, now: () => number) {
    this.file = stateDir === undefined ? undefined : join(stateDir, FILE);
    this.now = now;
  }

  /** False when it was taken before. It is on disk before anything is issued for it. */
  take(id: string, expiresMs: number): boolean {
    // Read by who spends only: `ripstop token` makes tokens beside a control plane that writes here.
    this.known ??= this.load();
    const hash = createHash('sha256').update(id).digest('base64url');
    if (this.known.has(hash)) return false;
    this.known.set(hash, expiresMs);
    if (this.file !== undefined) appendFileSync(this.file, `${hash} ${expiresMs}\n`, { mode: 0o600, flush: true });
    return true;
  }

  /** A line that was cut off by a crash is no token that anybody was given a certificate for. */
  private load(): Map<string, number> {
    const spent = new Map<string, number>();
    const { file } = this;
    if (file === undefined || !existsSync(file)) return spent;
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [, hash, expires] = /^([\w-]{43}) (\d+)$/.exec(line) ?? [];
      if (hash !== undefined && Number(expires) > this.now()) spent.set(hash, Number(expires));
    }
    const lines = [...spent].map(([hash, expires]) => `${hash} ${expires}\n`);
    writeFileSync(`${file}.tmp`, lines.join(''), { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
    return spent;
  }
}
