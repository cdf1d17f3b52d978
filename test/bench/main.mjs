// npm run bench [-- --json] [--null] [--part client|server|both]
// Mesh against bare, paired and interleaved, configured from YAML by the control plane.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { bothArms, clientArms, serverArms } from './arms.mjs';
import { stopAll } from './process.mjs';
import { interval, median } from './statistics.mjs';
import { drawSubject } from './subject.mjs';

const { values: options } = parseArgs({
  options: { json: { type: 'boolean' }, null: { type: 'boolean' }, part: { type: 'string', multiple: true }, seed: { type: 'string' } },
});
const BLOCKS = 2;
const PAIRS = 12;
const SLICE = 1_500;
const IN_FLIGHT = 16;
const subject = drawSubject(options.seed === undefined ? undefined : Number(options.seed));
const log = (line) => process.stderr.write(`${line}\n`);

process.once('exit', stopAll);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/** Each part: its gate, and how one block of two arms (bare, mesh) is set up. An arm is a client, a server and an origin. */
const PARTS = {
  client: { title: 'mesh client / bare undici', gate: 0.8, arms: clientArms },
  server: { title: 'mesh server / bare Fastify', gate: 0.85, arms: serverArms },
  both: { title: 'both with mTLS / bare mTLS', gate: 0.75, arms: bothArms },
};

const startedAt = performance.now();
const load = loadavg()[0];
log(`seed ${subject.seed}: ${subject.host}${subject.path}; load ${load.toFixed(2)}, ${availableParallelism()} cores`);
const results = [];
for (const name of options.part ?? Object.keys(PARTS)) results.push(await runPart(name, PARTS[name]));
const document = {
  seed: subject.seed,
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  loadBefore: load,
  seconds: Math.round((performance.now() - startedAt) / 1_000),
  results,
  ok: results.every(({ verdict, misses }) => verdict !== 'fail' && misses.length === 0),
};
print(document);
if (options.json) console.log(JSON.stringify(document));
process.exit(document.ok ? 0 : 1);

async function runPart(name, part) {
  const blocks = [];
  const misses = new Set();
  for (let block = 0; block < BLOCKS; block++) {
    const arms = await part.arms(subject, { nullRun: options.null === true });
    try {
      blocks.push(await runBlock(arms, block));
      for (const arm of Object.values(arms)) for (const miss of await arm.check()) misses.add(miss);
    } finally {
      for (const arm of Object.values(arms)) arm.stop();
    }
  }
  const all = (key) => blocks.flatMap((block) => block[key]);
  const [low, high] = interval(blocks.map(({ rps }) => rps));
  const [rps, cpu] = [median(all('rps')), median(all('cpu'))];
  // On contended cores the CPU ratio is the truer one, on calm ones the rate is: the better of the two counts.
  const score = Math.max(rps, 1 / cpu);
  const verdict = score >= part.gate ? 'pass' : high >= part.gate ? 'inconclusive' : 'fail';
  const result = {
    name,
    title: part.title,
    gate: part.gate,
    ratio: round(rps),
    interval: [round(low), round(high)],
    cpuRatio: round(cpu),
    addedP50Us: Math.round(median(all('addedUs'))),
    bareRps: Math.round(median(all('bareRps'))),
    meshRps: Math.round(median(all('meshRps'))),
    verdict,
    misses: [...misses],
  };
  log(
    `${part.title}: ${result.ratio} [${result.interval.join(', ')}], CPU ${result.cpuRatio}, gate ${part.gate}: ${verdict}${misses.size > 0 ? `; VOID: ${[...misses].join('; ')}` : ''}`,
  );
  return result;
}

/** Warm both arms until their rate settles, then slices in ABBA order, then one in flight for the latency. */
async function runBlock({ bare, mesh }, block) {
  await warm([bare, mesh]);
  for (const arm of [bare, mesh]) await arm.server.ask('reset');
  const pairs = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const order = (pair + block) % 2 === 0 ? [bare, mesh] : [mesh, bare];
    const measured = new Map();
    for (const arm of order) measured.set(arm, await arm.slice(SLICE, IN_FLIGHT));
    pairs.push({ bare: measured.get(bare), mesh: measured.get(mesh) });
  }
  const noisiest = pairs.map((pair) => pair.bare.switches + pair.mesh.switches).sort((a, b) => a - b)[Math.floor(pairs.length * 0.9)];
  const kept = pairs.filter((pair) => pair.bare.switches + pair.mesh.switches <= noisiest);
  const lone = { bare: await bare.slice(250, 1), mesh: await mesh.slice(250, 1) };
  return {
    rps: kept.map((pair) => pair.mesh.rps / pair.bare.rps),
    cpu: kept.map((pair) => pair.mesh.totalCpuUs / pair.bare.totalCpuUs),
    bareRps: kept.map((pair) => pair.bare.rps),
    meshRps: kept.map((pair) => pair.mesh.rps),
    addedUs: [1e6 / lone.mesh.rps - 1e6 / lone.bare.rps],
  };
}

async function warm(arms) {
  let before = 0;
  for (let round = 0; round < 8; round++) {
    let rate = 0;
    for (const arm of arms) rate += (await arm.slice(SLICE, IN_FLIGHT)).rps;
    if (round >= 3 && Math.abs(rate - before) < before * 0.05) return;
    before = rate;
  }
}

function round(value) {
  return Math.round(value * 1_000) / 1_000;
}

function print({ results, seconds, loadBefore }) {
  const rows = results.map((row) => [
    row.title,
    String(row.ratio),
    `[${row.interval.join(', ')}]`,
    String(row.cpuRatio),
    `${row.addedP50Us} µs`,
    `${row.bareRps} → ${row.meshRps}`,
    String(row.gate),
    row.misses.length > 0 ? 'VOID' : row.verdict,
  ]);
  const head = ['part', 'rps ratio', '95 %', 'CPU ratio', 'added @1', 'rps', 'gate', ''];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  for (const row of [head, ...rows]) log(row.map((cell, column) => cell.padEnd(widths[column])).join('  '));
  log(`${seconds} s, load before ${loadBefore.toFixed(2)}`);
}
