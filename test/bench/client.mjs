// One client of the bench. BENCH_CLIENT: `bare` (undici Pool), `bare-tls` (undici Pool with mTLS), `mesh` (the mesh's dispatcher).
import { Pool } from 'undici';
import { serveCommands } from './process.mjs';
import { chooseOrigin, runSlice } from './slice.mjs';
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

function dispatcherOf(origin) {
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

async function slice({ origin, path, forbiddenPath, ...load }) {
  const origins = origin.split(' ');
  const headers = { accept: 'application/json', 'user-agent': 'ripstop-bench' };
  const canaryHeaders = { ...headers, 'x-canary': 'yes' };
  return runSlice(load, async ({ canary, forbidden }) => {
    const at = chooseOrigin(origins, canary);
    const response = await dispatcherOf(at).request({
      origin: at,
      path: forbidden ? forbiddenPath : path,
      method: 'GET',
      headers: canary ? canaryHeaders : headers,
    });
    const { statusCode: code } = response;
    const body = await response.body.text();
    const version = code === 200 ? response.headers['x-version'] : undefined;
    return { code, version, isExpected: body === (code === 403 ? DENIED_BODY : BODY) };
  });
}

serveCommands({
  async ready(given) {
    certificate = given.certificate;
    await reachable(given.url);
  },
  slice,
  metrics: async ({ label }) => ({ byCode: await metrics(label) }),
});
