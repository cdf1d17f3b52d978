// One gRPC client of the bench. BENCH_CLIENT: `bare-tls` (grpc-js with mTLS), `mesh` (grpc-js by mesh.grpc).
import grpc from '@grpc/grpc-js';
import { serveCommands } from './process.mjs';
import { median } from './statistics.mjs';
import { BODY } from './subject.mjs';

const REQUEST = Buffer.alloc(64, 1);
const identity = (bytes) => bytes;
const clients = new Map();
let mesh;
let metrics = async (_label) => ({});
let reachable = async (_url) => {};
let certificate;
if (process.env.BENCH_CLIENT === 'mesh') {
  const membership = await import('./membership.mjs');
  mesh = await membership.join();
  reachable = (url) => membership.bothVersionsKnown(mesh, url);
  metrics = (label) => membership.requestsTotal([mesh], 'source', label);
}

function clientOf(origin) {
  let client = clients.get(origin);
  if (client === undefined) {
    const { hostname, port } = new URL(origin);
    client =
      mesh === undefined
        ? new grpc.Client(`${hostname}:${port}`, bareCredentials())
        : new grpc.Client(`${hostname}:${port === '' ? 80 : port}`, mesh.grpc.credentials(), mesh.grpc.options);
    clients.set(origin, client);
  }
  return client;
}

/** The name is the SPIFFE id, which grpc-js doesn't look for; the chain is verified all the same. */
function bareCredentials() {
  const [ca, key, cert] = [certificate.ca, certificate.key, certificate.cert].map((pem) => Buffer.from(pem));
  return grpc.credentials.createSsl(ca, key, cert, { checkServerIdentity: () => undefined });
}

/** `total` unary calls with so many in flight: 1 % canaries, 0.1 % to a forbidden method. */
async function slice({ origin, path, forbiddenPath, total, inFlight }) {
  const client = clientOf(origin);
  const counts = {};
  const versions = {};
  const latencies = [];
  let [canaryMisses, badBodies, sent] = [0, 0, 0];
  const call = (method, canary) => {
    const metadata = new grpc.Metadata();
    if (canary) metadata.set('x-canary', 'yes');
    return new Promise((resolve) => {
      client.makeUnaryRequest(method, identity, identity, REQUEST, metadata, {}, (error, bytes) =>
        resolve({ code: error?.code ?? 0, bytes }),
      );
    });
  };
  const worker = async () => {
    while (sent < total) {
      const number = sent++;
      const canary = number % 100 === 50;
      const begun = inFlight === 1 ? performance.now() : 0;
      const { code, bytes } = await call(number % 1_000 === 500 ? forbiddenPath : path, canary);
      counts[code] = (counts[code] ?? 0) + 1;
      if (inFlight === 1) latencies.push(performance.now() - begun);
      if (code !== 0) continue;
      const text = bytes.toString();
      if (text.slice(2) !== BODY) badBodies++;
      const version = text.slice(0, 2);
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
