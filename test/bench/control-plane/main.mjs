// npm run bench:control-plane [-- --json] [--short] [--services N]… [--subscribers N] [--large] [--seed N] [--tolerance 0.15]
//   [--profile DIR] (CPU profiles of the control plane, a phase each)
// A control plane over a folder of YAML, and real ADS streams in other processes: what a change costs, and a cold start.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stopAll } from '../process.mjs';
import { median } from '../statistics.mjs';
import { loadDocuments } from './load.mjs';
import { runMesh } from './scenario.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean' },
    short: { type: 'boolean' },
    large: { type: 'boolean' },
    services: { type: 'string', multiple: true },
    subscribers: { type: 'string' },
    seed: { type: 'string' },
    tolerance: { type: 'string' },
    profile: { type: 'string' },
  },
});
const log = (line) => process.stderr.write(`${line}\n`);
process.once('exit', stopAll);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const tolerance = Number(options.tolerance ?? 0);
const seed = Number(options.seed ?? Math.floor(Math.random() * 1e6));
const subscribers = Number(options.subscribers ?? 500);
const sizes = (options.services ?? (options.short ? ['1000'] : ['100', '1000', ...(options.large ? ['10000'] : [])])).map(Number);
for (const [name, value] of Object.entries({ seed, subscribers, tolerance, services: Math.min(...sizes) })) {
  if (value >= 0) continue;
  log(`--${name}: give a number`);
  process.exit(2);
}
/** The figures, for 1,000 services × 10 endpoints and 500 subscribers. */
const GATES = [
  { name: 'endpointMs', title: 'endpoint change → last ACK, p99 ms', gate: 150, aim: 60 },
  { name: 'routeMs', title: 'VirtualService change → last ACK, worst ms', gate: 250, aim: 80 },
  { name: 'rssMb', title: 'RSS, MB', gate: 400, aim: 200 },
  { name: 'coldMs', title: 'all connect at once → all served, ms', gate: 5_000, aim: 2_000 },
  { name: 'againMs', title: 'all reconnect at once → all served, ms', gate: 5_000, aim: 2_000 },
  { name: 'stallCpuMs', title: 'longest stall of the loop, ms of CPU', gate: 50, aim: 50 },
  // `coldStall` and its like tell work from waiting for a core.
  { name: 'stallMs', title: 'longest stall in either start, by the clock', gate: 50, aim: 50 },
];
const MOST_RUNS = 3;
const LOAD_GATE = { name: 'loadMs', title: 'loading 5,000 documents, ms', gate: 3_000, aim: 3_000 };

const load = loadavg()[0];
const startedAt = performance.now();
log(`seed ${seed}; load ${load.toFixed(2)}, ${availableParallelism()} cores`);
const meshes = [];
for (const services of sizes) meshes.push(await measure(services));
const loading = await loadDocuments(5_000, seed);
const judged = meshes.filter(({ services }) => services === 1_000 && subscribers === 500);
// One bad moment of the machine must not decide: what misses is measured further, and the median of the runs does.
while (judged.length > 0 && judged.length < MOST_RUNS && verdicts().some(({ verdict }) => verdict === 'fail')) {
  log('a gate is missed: once more');
  judged.push(await measure(1_000));
  meshes.push(judged.at(-1));
}
const results = [...verdicts(), resultOf(LOAD_GATE, loading.ms)];
const misses = meshes.flatMap(({ services, misses: found }) => found.map((miss) => `${services} services: ${miss}`));
const document = {
  seed,
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  loadBefore: load,
  loadAfter: loadavg()[0],
  seconds: Math.round((performance.now() - startedAt) / 1_000),
  subscribers,
  meshes,
  loading,
  results,
  misses,
  ok: misses.length === 0 && results.every(({ verdict }) => verdict !== 'fail'),
};
for (const { title, value, gate, aim, verdict } of results)
  log(`${title.padEnd(46)} ${String(value).padStart(7)}  gate ${gate}, aim ${aim}  ${verdict}`);
for (const miss of misses) log(`void: ${miss}`);
log(`${document.seconds} s, load before ${load.toFixed(2)}, after ${document.loadAfter.toFixed(2)}`);
if (options.json) console.log(JSON.stringify(document));
process.exit(document.ok ? 0 : 1);

async function measure(services) {
  const figures = await runMesh({
    services,
    subscribers,
    seed,
    profileDir: options.profile === undefined ? undefined : resolve(options.profile),
    changes: options.short ? { endpoint: 12, route: 4 } : { endpoint: 40, route: 10 },
  });
  log(JSON.stringify(figures));
  return figures;
}

function verdicts() {
  if (judged.length === 0) return [];
  return GATES.map((gate) => resultOf(gate, Math.round(median(judged.map((figures) => figures[gate.name])) * 10) / 10));
}

function resultOf({ name, title, gate, aim }, value) {
  const missed = value <= gate * (1 + tolerance) ? 'tolerated' : 'fail';
  return { name, title, value, gate, aim, verdict: value <= gate ? 'pass' : missed };
}
