import type { Istiod } from '../istiod/lasting-istiod.ts';
import { shrink as shrinkMesh } from '../istiod/shrink.ts';
import type { Bed } from './bed.ts';
import { translated } from './translated.ts';
import type { Difference, Request, Trial } from './trial.ts';

/** The smallest mesh and request that still differ in the same way, as far as the time lasts. */
export async function shrink(bed: Bed, istiod: Istiod, difference: Difference, limitMs: number): Promise<Difference> {
  const { trial, request, lines } = difference;
  if (request === undefined) return difference;
  const until = performance.now() + limitMs;
  const wanted = kindOf(lines);
  const ask = async (smaller: Trial): Promise<Difference | undefined> => {
    const known = await translated(smaller.mesh, istiod);
    const found = await bed.compare(smaller, known);
    return found.find((each) => each.request !== undefined && kindOf(each.lines) === wanted);
  };
  const only = await shrinkRequest({ ...trial, requests: [request] }, ask, performance.now() + limitMs / 3);
  const named = { node: trial.node, where: `${trial.place} request`, text: wanted };
  const mesh = await shrinkMesh(
    only.mesh,
    named,
    async (smaller) => ((await ask({ ...only, mesh: smaller })) === undefined ? [] : [named]),
    Math.max(0, until - performance.now()),
  );
  return (await ask({ ...only, mesh })) ?? difference;
}

/** What kind of difference it is, whatever the names. */
export function kindOf(lines: readonly string[]): string {
  return lines.map((line) => line.split(':', 1)[0]).join(', ');
}

async function shrinkRequest(trial: Trial, ask: (trial: Trial) => Promise<Difference | undefined>, until: number): Promise<Trial> {
  let best = trial;
  for (const smaller of reduced(trial.requests[0]!)) {
    if (performance.now() > until) return best;
    const request = smaller(best.requests[0]!);
    if ((await ask({ ...best, requests: [request] })) !== undefined) best = { ...best, requests: [request] };
  }
  return best;
}

function* reduced(request: Request): Iterable<(request: Request) => Request> {
  yield ({ body: _body, ...rest }) => rest;
  yield (rest) => ({ ...rest, answers: [] });
  yield (rest) => ({ ...rest, method: 'GET' });
  yield (rest) => ({ ...rest, path: rest.path.split('?', 1)[0]! });
  for (const name of Object.keys(request.headers)) yield ({ headers: { [name]: _left, ...headers }, ...rest }) => ({ ...rest, headers });
}
