import { hostKey } from './endpoint-index.ts';
import { ENDPOINT_LOOKUPS, type Made } from './made.ts';
import type { PushContext } from './push-context.ts';
import type { MeshService } from './service.ts';

/**
 * Who looked at the endpoints of which service. Where nothing but endpoints changed, those are told, and whoever was made of them; the
 * thousands of others need not look whether they still hold.
 */
export class Readers {
  /** The last push in which more changed, or it is not known what: then each result looks for itself. */
  broadIn = 0;
  /** The one before it that was such. */
  private broadBefore = 0;
  private readonly endpointPart: number;
  private readonly ofHosts = new Map<string, Set<Made>>();
  /** They looked at endpoints otherwise. */
  private readonly others = new Set<Made>();

  constructor(endpointPart: number) {
    this.endpointPart = endpointPart;
  }

  /** Takes down a result, which holds. */
  add(made: Made): void {
    for (const set of this.places(made, true)) set.add(made);
    for (const { made: inner } of made.recorded.inner) {
      inner.dependents ??= new Set();
      inner.dependents.add(made);
      // It was told already, and will not be told again before somebody has looked at it.
      if (inner.stale) made.stale = true;
    }
  }

  /** Forgets what a result was made of. */
  remove(made: Made): void {
    for (const set of this.places(made, false)) set.delete(made);
    for (const { made: inner } of made.recorded.inner) inner.dependents?.delete(made);
  }

  /** The next push; `known`: it was made of the one that was looked at last. */
  next({ generation, changes }: PushContext, known: boolean): void {
    const hosts = known ? changes?.onlyHosts : undefined;
    if (hosts === undefined) {
      this.broadBefore = known ? this.broadIn : generation;
      this.broadIn = generation;
      return;
    }
    for (const host of hosts) for (const made of this.ofHosts.get(host) ?? []) made.touch(generation);
    for (const made of this.others) made.touch(generation);
  }

  /** Whether a result that held in a push, and was told of nothing since, held in the one before this. */
  heldBefore(heldIn: number, { generation }: PushContext): boolean {
    return generation === this.broadIn && heldIn >= this.broadBefore;
  }

  private *places({ recorded: { reads, parts } }: Made, makes: boolean): Generator<Set<Made>> {
    if ((parts & this.endpointPart) === 0) return;
    for (const read of reads) {
      if ((read.parts & this.endpointPart) === 0) continue;
      if (!ENDPOINT_LOOKUPS.has(read.name)) {
        yield this.others;
        continue;
      }
      const key = hostKey(read.args![0] as MeshService);
      let known = this.ofHosts.get(key);
      if (known === undefined) {
        if (!makes) continue;
        known = new Set();
        this.ofHosts.set(key, known);
      }
      yield known;
      if (!makes && known.size === 0) this.ofHosts.delete(key);
    }
  }
}
