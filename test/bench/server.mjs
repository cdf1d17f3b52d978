// One server of the bench. BENCH_SERVER: `fastify` (bare), `fastify-tls` (bare, mTLS), `mesh` (the same app behind mesh.listen), `http` (plain upstream).
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { serveCommands } from './process.mjs';

const require = createRequire(new URL('../../packages/fastify/package.json', import.meta.url));
const kind = process.env.BENCH_SERVER;
const items = Array.from({ length: 18 }, (_, n) => ({ id: n, name: `item number ${n}`, price: n * 3.5 }));
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
let closeMesh = async () => {};
let metrics = async () => ({});
const ports = await start();
let cpu = process.cpuUsage();

serveCommands({
  ports: () => ({ ports }),
  reset() {
    served = 0;
    cpu = process.cpuUsage();
  },
  report() {
    const used = process.cpuUsage(cpu);
    return { served, cpuUs: used.user + used.system };
  },
  metrics: async () => ({ byCode: await metrics() }),
  async close() {
    await closeMesh();
  },
});

async function start() {
  if (kind === 'http') return Promise.all(['v1', 'v2'].map((version) => plainServer(version)));
  const options = { keepAliveTimeout: 60_000 };
  if (kind === 'fastify') return [await bind(fastify(options))];
  const { join, certificate, requestsTotal } = await import('./membership.mjs');
  const mesh = await join();
  if (kind === 'fastify-tls') {
    const https = { ...(await certificate(mesh)), requestCert: true, rejectUnauthorized: true };
    return [await bind(fastify({ ...options, https }))];
  }
  const app = fastify(options);
  const { port } = await mesh.listen(app, 9080);
  closeMesh = () => mesh.close({ drainMs: 0 });
  metrics = () => requestsTotal(mesh, 'destination');
  return [port];
}

function fastify(options) {
  const app = require('fastify')(options);
  app.get('/*', { schema }, async () => {
    served++;
    return { id: 7, items };
  });
  return app;
}

async function bind(app) {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
}

function plainServer(version) {
  const body = JSON.stringify({ id: 7, items });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'x-version': version };
  const server = createServer((_request, response) => {
    served++;
    response.writeHead(200, headers).end(body);
  });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}
