import { parseArgs } from 'node:util';
import { createRouters, tryAgreement } from './agreement/agreement.ts';
import { seeded } from './agreement/seeded.ts';

/*
 * Router agreement: `npm run gate:router -- --json`. Generated pairs of a policy and a request: never does an app serve what the policy
 * forbids for the canonical form of what it serves. Every other part writes its policies in other spellings than the routes'. The seed is printed; `--seed` runs it again.
 */

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    pairs: { type: 'string', default: '200000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const seed = Number(values.seed);
const random = seeded(seed);
const total = Number(values.pairs);
const routers = await createRouters();
const disagreements: string[] = [];
let served = 0;
let pairs = 0;
while (pairs < total) {
  const part = await tryAgreement(Math.min(10_000, total - pairs), random, routers, { spelled: (pairs / 10_000) % 2 === 1 });
  pairs += part.pairs;
  served += part.served;
  disagreements.push(...part.disagreements);
  console.log(`${pairs} pairs, ${served} served, ${disagreements.length} disagreements (seed ${seed})`);
}
for (const line of disagreements.slice(0, 20)) console.log(line);
const passed = disagreements.length === 0 && served > pairs / 20;
if (values.json) console.log(JSON.stringify({ gate: 'router', pairs, served, disagreements: disagreements.length, seed, passed }));
process.exitCode = passed ? 0 : 1;
