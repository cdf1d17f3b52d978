// The arms of each part: what stands bare, and what stands in the mesh.
import { Arm, GRPC_CODES } from './arm.mjs';
import { BenchMesh } from './mesh.mjs';
import { BenchProcess } from './process.mjs';
import { authorization, peerAuthentication, registeredServices, staticServices } from './subject.mjs';

export async function clientArms(subject, { nullRun }) {
  const bareServer = new BenchProcess('server.mjs', { env: { BENCH_SERVER: 'http' }, core: 0 });
  const meshServer = new BenchProcess('server.mjs', { env: { BENCH_SERVER: 'http' }, core: 0 });
  const [bareAt, meshAt] = [(await bareServer.ask('ports')).ports, (await meshServer.ask('ports')).ports];
  const bareOrigin = `http://127.0.0.1:${bareAt[0]}`;
  const bare = new Arm(subject, new BenchProcess('client.mjs', { env: { BENCH_CLIENT: 'bare' }, core: 1 }), bareServer, bareOrigin);
  if (nullRun)
    return {
      bare,
      mesh: new Arm(
        subject,
        new BenchProcess('client.mjs', { env: { BENCH_CLIENT: 'bare' }, core: 1 }),
        meshServer,
        `http://127.0.0.1:${meshAt[0]}`,
      ),
    };
  const world = await BenchMesh.start({ 'services.yaml': staticServices(meshAt) });
  const client = new BenchProcess('client.mjs', { env: { BENCH_CLIENT: 'mesh', ...world.environment('bench-client') }, core: 1 });
  await client.ask('ready', { url: `http://${subject.host}${subject.path}` });
  const mesh = new Arm(subject, client, meshServer, `http://${subject.host}`, { versions: true, client: true });
  mesh.onStop = () => world.stop();
  return { bare, mesh };
}

export async function serverArms(subject) {
  const bareServer = new BenchProcess('server.mjs', { env: { BENCH_SERVER: 'fastify' }, core: 0 });
  const client = () => new BenchProcess('client.mjs', { env: { BENCH_CLIENT: 'bare' }, core: 1 });
  const bare = new Arm(subject, client(), bareServer, `http://127.0.0.1:${(await bareServer.ask('ports')).ports[0]}`);
  const world = await BenchMesh.start({
    'services.yaml': registeredServices(subject),
    'policy.yaml': `${peerAuthentication('PERMISSIVE')}---\n${authorization(subject)}`,
  });
  const meshServer = new BenchProcess('server.mjs', { env: { BENCH_SERVER: 'mesh', ...world.environment('bench-server') }, core: 0 });
  const mesh = new Arm(subject, client(), meshServer, `http://127.0.0.1:${(await meshServer.ask('ports')).ports[0]}`, {
    forbidden: true,
    server: true,
  });
  mesh.onStop = () => world.stop();
  return { bare, mesh };
}

export function bothArms(subject) {
  return mutualTlsArms(subject, { client: 'client.mjs', server: 'server.mjs', bareServerKind: 'fastify-tls', protocol: 'http' });
}

export function grpcArms(subject) {
  const files = { client: 'grpc-client.mjs', server: 'grpc-server.mjs' };
  return mutualTlsArms(subject, { ...files, bareServerKind: 'bare-tls', protocol: 'grpc', codes: GRPC_CODES });
}

/**
 * Client and server with mutual TLS: bare ones with certificates of the mesh's CA, and both in a mesh that is STRICT. Both arms have two
 * apps in the server's process, v1 and v2: V8 compiles what two of them share differently from what belongs to one.
 */
async function mutualTlsArms(subject, { client, server, bareServerKind, protocol, codes }) {
  const principal = 'cluster.local/ns/default/sa/bench-client';
  const world = await BenchMesh.start({
    'services.yaml': registeredServices(subject, protocol),
    'policy.yaml': `${peerAuthentication('STRICT')}---\n${authorization(subject, principal)}`,
  });
  const spawn = (file, core, env, service) =>
    new BenchProcess(file, { env: { ...env, ...(service === undefined ? {} : world.environment(service)) }, core });
  const paths = { BENCH_PATHS: `${subject.path} ${subject.forbiddenPath}` };
  const versions = { BENCH_VERSIONS: 'v1,v2' };
  const bareServer = spawn(server, 0, { BENCH_SERVER: bareServerKind, ...versions, ...paths });
  const meshServer = spawn(server, 0, { BENCH_SERVER: 'mesh', ...versions, BENCH_MUTUAL: '1', ...paths }, 'bench-server');
  const bareClient = spawn(client, 1, { BENCH_CLIENT: 'bare-tls' });
  const meshClient = spawn(client, 1, { BENCH_CLIENT: 'mesh' }, 'bench-client');
  await bareClient.ask('ready', { certificate: await world.certificate('bare-client') });
  const bareAt = (await bareServer.ask('ports', { certificate: await world.certificate('bare-server') })).ports;
  const { ports } = await meshServer.ask('ports');
  const host = subject.host.replace('.bench.example', '');
  await meshClient.ask('ready', { url: `http://${host}${subject.path}` });
  const bare = new Arm(subject, bareClient, bareServer, bareAt.map((port) => `https://127.0.0.1:${port}`).join(' '), {
    codes,
    versions: true,
  });
  const expect = { forbidden: true, client: true, server: true, versions: true, plaintextRefusedAt: ports, codes };
  const mesh = new Arm(subject, meshClient, meshServer, `http://${host}`, expect);
  mesh.onStop = () => world.stop();
  return { bare, mesh };
}
