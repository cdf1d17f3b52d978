// One gRPC client of the bench. BENCH_CLIENT: `bare-tls` (grpc-js with mTLS), `mesh` (grpc-js by mesh.grpc).
import grpc from '@grpc/grpc-js';
import { serveCommands } from './process.mjs';
import { chooseOrigin, runSlice } from './slice.mjs';
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

function slice({ origin, path, forbiddenPath, ...load }) {
  const origins = origin.split(' ');
  return runSlice(load, ({ canary, forbidden }) => {
    const metadata = new grpc.Metadata();
    if (canary) metadata.set('x-canary', 'yes');
    return new Promise((resolve) => {
      const client = clientOf(chooseOrigin(origins, canary));
      client.makeUnaryRequest(forbidden ? forbiddenPath : path, identity, identity, REQUEST, metadata, {}, (error, bytes) =>
        resolve(error === null ? answered(bytes.toString()) : { code: error.code, version: undefined, isExpected: true }),
      );
    });
  });
}

/** The version stands in front of the body. */
function answered(text) {
  return { code: 0, version: text.slice(0, 2), isExpected: text.slice(2) === BODY };
}

serveCommands({
  async ready(given) {
    certificate = given.certificate;
    await reachable(given.url);
  },
  slice,
  metrics: async ({ label }) => ({ byCode: await metrics(label) }),
});
