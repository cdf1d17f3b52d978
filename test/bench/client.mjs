// One client of the bench. BENCH_CLIENT: `bare` (undici Pool), `bare-tls` (undici Pool with mTLS), `mesh` (the mesh's dispatcher).
import { Pool } from 'undici';
import { serveCommands } from './process.mjs';
import { median } from './statistics.mjs';
import { BODY, DENIED_BODY } from './subject.mjs';

const kind = process.env.BENCH_CLIENT;
let mesh;
let metrics = async (_label) => ({});
let reachable = async (_url) => {};
let certificate;
if (kind === 'mesh') {
  const membership = await import('./membership.mjs');
  mesh = await membership.join();
  reachable = (url) => membership.bothVersionsKnown(mesh, url);
  metrics = (label) => membership.requestsTotal([mesh], 'source', label);
}
const dispatchers = new Map();

async function dispatcherOf(origin) {
  if (kind === 'mesh') return mesh.dispatcher;
  let pool = dispatchers.get(origin);
  if (pool === undefined) {
    // The name is the SPIFFE id, which undici doesn't know; the chain is verified all the same.
    const connect = kind === 'bare-tls' ? { ...certificate, checkServerIdentity: () => undefined } : undefined;
    pool = new Pool(origin, { connect, allowH2: false });
    dispatchers.set(origin, pool);
  }
  return pool;
}

/** `total` requests with so many in flight. `mix`: 1 % canaries, 0.1 % on a forbidden path. */
async function slice({ origin, path, forbiddenPath, total, inFlight }) {
  const dispatcher = await dispatcherOf(origin);
  const headers = { accept: 'application/json', 'user-agent': 'ripstop-bench' };
  const canaryHeaders = { ...headers, 'x-canary': 'yes' };
  const counts = {};
  const versions = {};
  let canaryMisses = 0;
  let badBodies = 0;
  const latencies = [];
  let sent = 0;
  const worker = async () => {
    while (sent < total) {
      const number = sent++;
      const canary = number % 100 === 50;
      const forbidden = number % 1_000 === 500;
      const begun = inFlight === 1 ? performance.now() : 0;
      const response = await dispatcher.request({
        origin,
        path: forbidden ? forbiddenPath : path,
        method: 'GET',
        headers: canary ? canaryHeaders : headers,
      });
      const body = await response.body.text();
      counts[response.statusCode] = (counts[response.statusCode] ?? 0) + 1;
      if (inFlight === 1) latencies.push(performance.now() - begun);
      if (body !== (response.statusCode === 403 ? DENIED_BODY : BODY)) badBodies++;
      if (response.statusCode !== 200) continue;
      const version = response.headers['x-version'];
      if (!canary) versions[version] = (versions[version] ?? 0) + 1;
      else if (version !== 'v2') canaryMisses++;
    }
  };
  const cpu = process.cpuUsage();
  const switches = process.resourceUsage().involuntaryContextSwitches;
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  const used = process.cpuUsage(cpu);
  return {
    rps: total / seconds,
    cpuUs: (used.user + used.system) / total,
    counts,
    versions,
    canaryMisses,
    badBodies,
    p50Us: latencies.length === 0 ? undefined : median(latencies) * 1_000,
    switches: process.resourceUsage().involuntaryContextSwitches - switches,
  };
}

serveCommands({
  async ready(given) {
    certificate = given.certificate;
    await reachable(given.url);
  },
  slice,
  metrics: async ({ label }) => ({ byCode: await metrics(label) }),
});
