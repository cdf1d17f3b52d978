import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../state/replace-file.ts';

const FILE = 'spent-tokens';
/** Fewer are not worth a look for those that have expired. */
const MIN_PRUNED = 1024;

/**
 * Single-use tokens that were used, by the hash of their id, until they would have expired anyway. Kept over restarts. In memory and on
 * disk stand at most twice as many as have not expired, or MIN_PRUNED.
 */
export class SpentTokens {
  private readonly file: string | undefined;
  private readonly now: () => number;
  private known: Map<string, number> | undefined;
  private pruneAt = MIN_PRUNED;

  constructor(stateDir: string | undefined, now: () => number) {
    this.file = stateDir === undefined ? undefined : join(stateDir, FILE);
    this.now = now;
  }

  /** How many are held in memory. */
  get size(): number {
    return this.known?.size ?? 0;
  }

  /** False when it was taken before. It is on disk before anything is issued for it. */
  take(id: string, expiresMs: number): boolean {
    // Read by who spends only: `ripstop token` makes tokens beside a control plane that writes here.
    this.known ??= this.prune(this.load());
    const hash = createHash('sha256').update(id).digest('base64url');
    if (this.known.has(hash)) return false;
    if (this.known.size >= this.pruneAt) this.known = this.prune(this.known);
    this.known.set(hash, expiresMs);
    if (this.file !== undefined) appendFileSync(this.file, lineOf(hash, expiresMs), { mode: 0o600, flush: true });
    return true;
  }

  /** A line that was cut off by a crash is no token that anybody was given a certificate for. */
  private load(): Map<string, number> {
    const spent = new Map<string, number>();
    if (this.file === undefined || !existsSync(this.file)) return spent;
    for (const line of readFileSync(this.file, 'utf8').split('\n')) {
      const [, hash, expires] = /^([\w-]{43}) (\d+)$/.exec(line) ?? [];
      if (hash !== undefined) spent.set(hash, Number(expires));
    }
    return spent;
  }

  /** Without what has expired: such a token is refused for that. */
  private prune(spent: ReadonlyMap<string, number>): Map<string, number> {
    const kept = new Map([...spent].filter(([, expiresMs]) => expiresMs > this.now()));
    this.pruneAt = Math.max(MIN_PRUNED, 2 * kept.size);
    if (this.file !== undefined && kept.size < spent.size) {
      const lines = [...kept].map(([hash, expiresMs]) => lineOf(hash, expiresMs));
      replaceFile(this.file, lines.join(''), { flush: true });
    }
    return kept;
  }
}

function lineOf(hash: string, expiresMs: number): string {
  return `${hash} ${expiresMs}\n`;
}
