import { afterAll, describe, expect, inject, it } from 'vitest';
import { answerDifferences, caseOf, type Difference, differencesOf, textOf } from './compare-mesh.ts';
import { explanationOf } from './explained.ts';
import { IstiodEnded } from './istiod-process.ts';
import { type Istiod, LastingIstiod } from './lasting-istiod.ts';
import type { Mesh } from './mesh/random-mesh.ts';
import { kindOf, shrink } from './shrink.ts';

/** Others: `RIPSTOP_SEED=… RIPSTOP_MESHES=… npm run test:interop -- istiod-meshes`. */
const SEED = Number(process.env.RIPSTOP_SEED ?? 1);
/** istiod works on so many at a time, while we do our part. */
const AHEAD = 3;
/** A difference is made smaller for so long; only the first few are. */
const SHRINK_MS = 30_000;
const MAX_SHOWN = 3;
/** A mesh with a difference is asked about so often again: what comes from a walk over a Go map shows itself. */
const TIMES = 20;

/** Draws meshes and compares what istiod and our control plane make of each. `meshes`: how many, unless the environment says. */
export function compareDrawn(name: string, draw: (seed: number) => Mesh, meshes: number): void {
  const count = Number(process.env.RIPSTOP_MESHES ?? meshes);
  const { istiod } = inject('peers');
  if ('missing' in istiod) console.log(`skipped: istiod: ${istiod.missing}`);
  describe.skipIf('missing' in istiod)(name, () => suite(draw, count, 'path' in istiod ? istiod.path : ''));
}

function suite(draw: (seed: number) => Mesh, meshes: number, binary: string): void {
  const peer = new LastingIstiod(binary);
  afterAll(() => peer.close());

  it(`are translated, and refused, as by istiod (${meshes} from seed ${SEED})`, { timeout: 1_800_000 }, async () => {
    let ended = 0;
    /** Nothing to say about a mesh that ends istiod. */
    const unlessEnded = <T>(found: Promise<T[]>): Promise<T[]> =>
      found.catch((error) => {
        if (!(error instanceof IstiodEnded)) throw error;
        ended++;
        return [];
      });
    const ask = (mesh: Mesh): Promise<Difference[]> => unlessEnded(differencesOf(mesh, peer));
    const known = new Map<string, number>();
    const reports: string[] = [];
    const asked = new Map<number, Promise<Difference[]>>();
    for (let seed = SEED; seed < SEED + meshes && reports.length < MAX_SHOWN; seed++) {
      for (let next = seed; next < Math.min(seed + AHEAD, SEED + meshes); next++) if (!asked.has(next)) asked.set(next, ask(draw(next)));
      const mesh = draw(seed);
      const left = unexplained(mesh, await asked.get(seed)!, known);
      asked.delete(seed);
      if (left.length === 0) continue;
      const another = new LastingIstiod(binary);
      reports.push(...(await unlessEnded(report(seed, mesh, left, another))));
      await another.close();
    }
    await Promise.allSettled(asked.values());
    if (ended > 0) console.log(`${ended} × istiod itself ended`);
    expect(ended).toBeLessThanOrEqual(Math.ceil(meshes / 30));
    for (const [name, count] of known) console.log(`${count} × ${name}`);
    expect(reports.join('\n\n')).toBe('');
  });

  /** istiod does not say the same every time: what another one does not say again is none of ours. */
  async function report(seed: number, mesh: Mesh, left: readonly Difference[], peer: Istiod): Promise<string[]> {
    const again = new Set((await differencesOf(mesh, peer)).map(kindOf));
    const changing = await changingKinds(mesh, peer);
    const difference = left.find((found) => again.has(kindOf(found)) && !changing.has(kindOf(found)));
    if (difference === undefined) return [];
    const small = await shrink(mesh, difference, (smaller) => differencesOf(smaller, peer), SHRINK_MS);
    const { node, where, text } = difference;
    return [`seed ${seed}, ${node} ${where} ${text}\nstill so in:\n${textOf(small)}`];
  }
}

/** In what istiod's own answers about a mesh differ. */
async function changingKinds(mesh: Mesh, peer: Istiod): Promise<Set<string>> {
  const first = await peer.ask(caseOf(mesh));
  const kinds = new Set<string>();
  for (let time = 0; time < TIMES; time++)
    for (const difference of answerDifferences(mesh, first, await peer.ask(caseOf(mesh)))) kinds.add(kindOf(difference));
  return kinds;
}

function unexplained(mesh: Mesh, differences: readonly Difference[], known: Map<string, number>): Difference[] {
  return differences.filter((difference) => {
    const name = explanationOf(difference, mesh);
    if (name !== undefined) known.set(name, (known.get(name) ?? 0) + 1);
    return name === undefined;
  });
}
