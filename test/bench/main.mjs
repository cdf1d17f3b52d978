// npm run bench [-- --json] [--short] [--null] [--part client|server|both|grpc|control-plane] [--seed N] [--tolerance 0.15]
// Mesh against bare, paired and interleaved, configured from YAML by the control plane; then the control plane itself, which --short
// leaves out unless it is named.

import { spawn } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bothArms, clientArms, grpcArms, serverArms } from './arms.mjs';
import { runBlock } from './block.mjs';
import { stopAll } from './process.mjs';
import { interval, median } from './statistics.mjs';
import { drawSubject } from './subject.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean' },
    short: { type: 'boolean' },
    null: { type: 'boolean' },
    part: { type: 'string', multiple: true },
    seed: { type: 'string' },
    tolerance: { type: 'string' },
  },
});
const subject = drawSubject(options.seed === undefined ? undefined : Number(options.seed));
const log = (line) => process.stderr.write(`${line}\n`);
/**
 * How far below its gate a part may be, as a share of it. For machines that others share: there a miss by little says nothing, nor does one
 * whose interval still reaches the gate.
 */
const tolerance = Number(options.tolerance ?? 0);
if (!(tolerance >= 0 && tolerance <= 1)) {
  log(`--tolerance ${options.tolerance}: give a share from 0 to 1`);
  process.exit(2);
}
const blockMs = options.short ? 2_000 : 4_500;
const BLOCKS = options.short ? 1 : 2;
/** No further block of the first rounds begins later than this. */
const endsAt = performance.now() + 45_000;
/** For parts that miss their gate, after the first rounds: a slow machine has used up its time by then. */
const FURTHER_MS = 45_000;

process.once('exit', stopAll);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/** Each part: its gate, and how one block of two arms (bare, mesh) is set up. An arm is a client, a server and an origin. */
const PARTS = {
  client: { title: 'mesh client / bare undici', gate: 0.8, arms: clientArms },
  server: { title: 'mesh server / bare Fastify', gate: 0.85, arms: serverArms },
  both: { title: 'both with mTLS / bare mTLS', gate: 0.75, arms: bothArms },
  grpc: { title: 'gRPC, both with mTLS / bare mTLS', gate: 0.75, arms: grpcArms },
};

const CONTROL_PLANE = 'control-plane';
for (const name of options.part ?? []) {
  if (PARTS[name] !== undefined || name === CONTROL_PLANE) continue;
  log(`unknown part "${name}": one of ${[...Object.keys(PARTS), CONTROL_PLANE].join(', ')}`);
  process.exit(2);
}
const wanted = options.part ?? [...Object.keys(PARTS), ...(options.short || options.null ? [] : [CONTROL_PLANE])];
const startedAt = performance.now();
const load = loadavg()[0];
log(`seed ${subject.seed}: ${subject.host}${subject.path}; load ${load.toFixed(2)}, ${availableParallelism()} cores`);
const parts = wanted.filter((name) => name !== CONTROL_PLANE).map((name) => ({ name, ...PARTS[name], blocks: [], misses: new Set() }));
for (let block = 0; block < BLOCKS; block++) for (const part of parts) if (block === 0 || performance.now() < endsAt) await measure(part);
// A part that misses its gate is measured further: one bad moment of the machine must not decide. The median of all pairs does.
const furtherUntil = performance.now() + FURTHER_MS;
for (let behind = missing(); behind.length > 0 && performance.now() < furtherUntil; behind = missing())
  for (const part of behind) if (performance.now() < furtherUntil) await measure(part);
const results = parts.map(resultOf);
if (results.length > 0) print(results);
const controlPlane = wanted.includes(CONTROL_PLANE) ? await measureControlPlane() : undefined;
const document = {
  seed: subject.seed,
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  loadBefore: load,
  loadAfter: loadavg()[0],
  seconds: Math.round((performance.now() - startedAt) / 1_000),
  results,
  ...(controlPlane === undefined ? {} : { controlPlane }),
  ok: results.every(({ verdict }) => ['pass', 'tolerated', 'unclear'].includes(verdict)) && (controlPlane?.ok ?? true),
};
log(`${document.seconds} s, load before ${load.toFixed(2)}, after ${document.loadAfter.toFixed(2)}`);
if (options.json) console.log(JSON.stringify(document));
process.exit(document.ok ? 0 : 1);

async function measure(part) {
  const arms = await part.arms(subject, { nullRun: options.null === true });
  try {
    part.blocks.push(await runBlock(arms, { first: part.blocks.length % 2 === 0 ? 'bare' : 'mesh', ms: blockMs }));
    for (const arm of Object.values(arms)) for (const miss of await arm.check()) part.misses.add(miss);
  } finally {
    for (const arm of Object.values(arms)) arm.stop();
  }
}

function missing() {
  return parts.filter((part) => part.misses.size === 0 && ['fail', 'unclear'].includes(resultOf(part).verdict));
}

function resultOf({ name, title, gate, blocks, misses }) {
  const all = (key) => blocks.flatMap((block) => block[key]);
  const [rps, cpu] = [median(all('rps')), median(all('cpu'))];
  // On contended cores the CPU ratio is the truer one, on calm ones the rate is: the better of the two counts.
  const score = Math.max(rps, 1 / cpu);
  const [rpsInterval, cpuInterval] = [interval(blocks.map((block) => block.rps)), interval(blocks.map((block) => block.cpu))];
  const most = Math.max(rpsInterval[1], 1 / cpuInterval[0]);
  const perRequest = (key) => Math.round(median(all(key)) * 10) / 10;
  return {
    name,
    title,
    gate,
    ratio: round(rps),
    interval: rpsInterval.map(round),
    cpuRatio: round(cpu),
    cpuInterval: cpuInterval.map(round),
    clientCpuUs: [perRequest('bareClientUs'), perRequest('meshClientUs')],
    serverCpuUs: [perRequest('bareServerUs'), perRequest('meshServerUs')],
    addedP50Us: Math.round(median(all('addedUs'))),
    bareRps: Math.round(median(all('bareRps'))),
    meshRps: Math.round(median(all('meshRps'))),
    pairs: all('rps').length,
    blocks: blocks.length,
    verdict: misses.size > 0 ? 'void' : verdictOf({ score, most, gate }),
    misses: [...misses],
  };
}

function verdictOf({ score, most, gate }) {
  if (score >= gate) return 'pass';
  if (score >= gate * (1 - tolerance) && tolerance > 0) return 'tolerated';
  return tolerance > 0 && most >= gate ? 'unclear' : 'fail';
}

function round(value) {
  return Math.round(value * 1_000) / 1_000;
}

function print(results) {
  const rows = results.map((row) => [
    row.title,
    String(row.ratio),
    `[${row.interval.join(', ')}]`,
    String(row.cpuRatio),
    `[${row.cpuInterval.join(', ')}]`,
    row.clientCpuUs.join(' → '),
    row.serverCpuUs.join(' → '),
    `${row.addedP50Us} µs`,
    `${row.bareRps} → ${row.meshRps}`,
    String(row.gate),
    row.verdict,
  ]);
  const head = ['part', 'rps ratio', '95 %', 'CPU ratio', '95 %', 'client CPU µs', 'server CPU µs', 'added @1', 'rps', 'gate', ''];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  for (const row of [head, ...rows]) log(row.map((cell, column) => cell.padEnd(widths[column])).join('  '));
  for (const { title, misses } of results) for (const miss of misses) log(`${title}: void, because ${miss}`);
}

/** In a process of its own, as `npm run bench:control-plane` is; its progress goes to standard error. */
function measureControlPlane() {
  const flags = [
    '--json',
    '--tolerance',
    String(tolerance),
    ...(options.short ? ['--short'] : []),
    ...(options.seed ? ['--seed', options.seed] : []),
  ];
  const child = spawn(process.execPath, [fileURLToPath(new URL('control-plane/main.mjs', import.meta.url)), ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill());
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      try {
        resolve(JSON.parse(output.trim().split('\n').at(-1)));
      } catch {
        reject(new Error(`the bench of the control plane ended with ${code} and no figures`));
      }
    });
  });
}
