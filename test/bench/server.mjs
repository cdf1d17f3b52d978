// One server of the bench. BENCH_SERVER: `fastify` (bare), `fastify-tls` (bare, mTLS), `mesh` (the same app behind mesh.listen), both once
// per version in BENCH_VERSIONS; `http` (plain upstream).
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { serveCommands } from './process.mjs';
import { BODY, CONTENT } from './subject.mjs';

const require = createRequire(new URL('../../packages/fastify/package.json', import.meta.url));
const kind = process.env.BENCH_SERVER;
const isMutual = process.env.BENCH_MUTUAL === '1';
const CALLER = 'URI=spiffe://cluster.local/ns/default/sa/bench-client';
const schema = {
  response: {
    200: {
      type: 'object',
      properties: {
        id: { type: 'integer' },
        items: {
          type: 'array',
          items: { type: 'object', properties: { id: { type: 'integer' }, name: { type: 'string' }, price: { type: 'number' } } },
        },
      },
    },
  },
};

let served = 0;
/** Requests that came with a request id and, over mTLS, with the caller's certificate in x-forwarded-client-cert. */
let identified = 0;
let closeMesh = async () => {};
let metrics = async (_label) => ({});
let started;

serveCommands({
  /** Starts it when it is asked first. */
  async ports({ certificate }) {
    started ??= start(certificate);
    return { ports: await started };
  },
  report() {
    const used = process.cpuUsage();
    return { served, identified, cpuUs: used.user + used.system };
  },
  metrics: async ({ label }) => ({ byCode: await metrics(label) }),
  async close() {
    await closeMesh();
  },
});

async function start(certificate) {
  if (kind === 'http') return Promise.all(['v1', 'v2'].map((version) => plainServer(version)));
  const options = { keepAliveTimeout: 60_000 };
  if (kind === 'fastify') return [await bind(fastify(options))];
  const versions = (process.env.BENCH_VERSIONS ?? 'v1').split(',');
  const https = { ...certificate, requestCert: true, rejectUnauthorized: true };
  if (kind === 'fastify-tls') return Promise.all(versions.map((version) => bind(fastify({ ...options, https }, version))));
  const { join, requestsTotal } = await import('./membership.mjs');
  const meshes = await Promise.all(versions.map((version) => join({ version })));
  const addresses = await Promise.all(meshes.map((mesh, index) => mesh.listen(fastify(options, versions[index]), 9080)));
  closeMesh = () => Promise.all(meshes.map((mesh) => mesh.close({ drainMs: 0 })));
  metrics = (label) => requestsTotal(meshes, 'destination', label);
  return addresses.map(({ port }) => port);
}

function fastify(options, version = 'v1') {
  const app = require('fastify')(options);
  app.get('/*', { schema }, async (request, reply) => {
    served++;
    const { headers } = request;
    if (headers['x-request-id'] !== undefined && (!isMutual || headers['x-forwarded-client-cert']?.includes(CALLER))) identified++;
    reply.header('x-version', version);
    return CONTENT;
  });
  return app;
}

async function bind(app) {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
}

function plainServer(version) {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(BODY), 'x-version': version };
  const server = createServer((_request, response) => {
    served++;
    response.writeHead(200, headers).end(BODY);
  });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}
