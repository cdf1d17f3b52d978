// npm run gate:memory [-- --json] [--short]
// What client and server of the mesh hold after many requests (500,000, short 60,000) beyond what they held after the first ones: over HTTP
// and gRPC, with mutual TLS, the same mesh as the bench. A kilobyte that is kept of every hundredth request would be 5 MB.
import { parseArgs } from 'node:util';
import { bothArms, grpcArms } from './arms.mjs';
import { stopAll } from './process.mjs';
import { drawSubject } from './subject.mjs';

const { values: options } = parseArgs({ options: { json: { type: 'boolean' }, short: { type: 'boolean' } } });
const TOTAL = options.short ? 60_000 : 500_000;
const WARM = options.short ? 20_000 : 50_000;
const IN_FLIGHT = 16;
const SLICE = 10_000;
const MOST_GROWTH_MB = 2;
const log = (line) => process.stderr.write(`${line}\n`);
process.once('exit', stopAll);

const results = [];
for (const [name, arms] of Object.entries({ http: bothArms, grpc: grpcArms })) results.push(...(await measure(name, arms)));
const passed = results.every(({ growthMb, misses }) => growthMb <= MOST_GROWTH_MB && misses.length === 0);
console.log(JSON.stringify({ gate: 'memory', passed, requests: TOTAL, results }, undefined, options.json ? 0 : 2));
process.exit(passed ? 0 : 1);

async function measure(name, arms) {
  const { bare, mesh } = await arms(drawSubject());
  bare.stop();
  try {
    await send(mesh, WARM, name);
    const before = await heldBy(mesh);
    await send(mesh, TOTAL, name);
    const after = await heldBy(mesh);
    const misses = await mesh.check();
    return ['client', 'server'].map((side) => resultOf(name, side, before[side], after[side], misses));
  } finally {
    mesh.stop();
  }
}

async function send(arm, total, name) {
  for (let sent = 0; sent < total; sent += SLICE) {
    await arm.slice(SLICE, IN_FLIGHT);
    log(`${name}: ${sent + SLICE} of ${total}`);
  }
}

async function heldBy(arm) {
  return { client: await arm.client.ask('memory'), server: await arm.server.ask('memory') };
}

function resultOf(name, side, before, after, misses) {
  const megabytes = (bytes) => Math.round(bytes / 10_000) / 100;
  const growthMb = megabytes(after.held - before.held);
  const verdict = growthMb <= MOST_GROWTH_MB ? 'ok    ' : 'MISSED';
  log(`${verdict} ${name} ${side}: ${megabytes(before.held)} → ${megabytes(after.held)} MB held, RSS ${megabytes(after.rss)} MB`);
  for (const miss of misses) log(`${name}: void, because ${miss}`);
  return { name, side, heldMb: [megabytes(before.held), megabytes(after.held)], growthMb, rssMb: megabytes(after.rss), misses };
}
