// One gRPC server of the bench. BENCH_SERVER: `bare-tls` (grpc-js, mTLS), `mesh` (the same behind mesh.grpc.listen), both once per version in
// BENCH_VERSIONS. Unary methods under BENCH_PATHS that answer 1 kB, headed by the version.
import grpc from '@grpc/grpc-js';
import { serveCommands } from './process.mjs';
import { BODY } from './subject.mjs';

const CALLER = 'URI=spiffe://cluster.local/ns/default/sa/bench-client';
const isMesh = process.env.BENCH_SERVER === 'mesh';
const versions = process.env.BENCH_VERSIONS.split(',');
const identity = (bytes) => bytes;

let served = 0;
/** Calls that came with a request id and with the caller's certificate in x-forwarded-client-cert. */
let identified = 0;
let metrics = async (_label) => ({});
let started;

serveCommands({
  async ports({ certificate }) {
    started ??= isMesh ? startMesh() : startBare(certificate);
    return { ports: await started };
  },
  report() {
    const used = process.cpuUsage();
    return { served, identified, cpuUs: used.user + used.system };
  },
  metrics: async ({ label }) => ({ byCode: await metrics(label) }),
});

async function startMesh() {
  const { join, requestsTotal } = await import('./membership.mjs');
  const meshes = await Promise.all(versions.map((version) => join({ version })));
  metrics = (label) => requestsTotal(meshes, 'destination', label);
  const addresses = await Promise.all(meshes.map((mesh, index) => mesh.grpc.listen(server(versions[index]), 9080)));
  return addresses.map(({ port }) => port);
}

function startBare({ cert, key, ca }) {
  const credentials = grpc.ServerCredentials.createSsl(
    Buffer.from(ca),
    [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }],
    true,
  );
  const bind = (version) =>
    new Promise((resolve, reject) => {
      server(version).bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
    });
  return Promise.all(versions.map(bind));
}

function server(version) {
  const answer = Buffer.from(version + BODY);
  const method = { requestStream: false, responseStream: false, requestSerialize: identity, requestDeserialize: identity };
  const paths = process.env.BENCH_PATHS.split(' ');
  const definition = Object.fromEntries(
    paths.map((path) => [path, { ...method, path, responseSerialize: identity, responseDeserialize: identity }]),
  );
  const handler = (call, done) => {
    served++;
    const { metadata } = call;
    if (metadata.get('x-request-id').length > 0 && metadata.get('x-forwarded-client-cert')[0]?.includes(CALLER)) identified++;
    done(null, answer);
  };
  const grpcServer = new grpc.Server();
  grpcServer.addService(definition, Object.fromEntries(paths.map((path) => [path, handler])));
  return grpcServer;
}
