// The arms of each part: what stands bare, and what stands in the mesh.
import { Arm } from './arm.mjs';
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
  await client.ask('ready');
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

export async function bothArms(subject) {
  const principal = 'cluster.local/ns/default/sa/bench-client';
  const world = await BenchMesh.start({
    'services.yaml': registeredServices(subject),
    'policy.yaml': `${peerAuthentication('STRICT')}---\n${authorization(subject, principal)}`,
  });
  const spawn = (file, variable, kind, service, core, more) =>
    new BenchProcess(file, { env: { [variable]: kind, ...world.environment(service), ...more }, core });
  const bareServer = new BenchProcess('server.mjs', { env: { BENCH_SERVER: 'fastify-tls' }, core: 0 });
  const meshServer = spawn('server.mjs', 'BENCH_SERVER', 'mesh', 'bench-server', 0, { BENCH_VERSIONS: 'v1,v2', BENCH_MUTUAL: '1' });
  const bareClient = new BenchProcess('client.mjs', { env: { BENCH_CLIENT: 'bare-tls' }, core: 1 });
  const meshClient = spawn('client.mjs', 'BENCH_CLIENT', 'mesh', 'bench-client', 1);
  await bareClient.ask('ready', { certificate: await world.certificate('bare-client') });
  const bareAt = (await bareServer.ask('ports', { certificate: await world.certificate('bare-server') })).ports[0];
  const { ports } = await meshServer.ask('ports');
  await meshClient.ask('ready');
  const bare = new Arm(subject, bareClient, bareServer, `https://127.0.0.1:${bareAt}`);
  const host = subject.host.replace('.bench.example', '');
  const expect = { forbidden: true, client: true, server: true, versions: true, plaintextRefusedAt: ports };
  const mesh = new Arm(subject, meshClient, meshServer, `http://${host}`, expect);
  mesh.onStop = () => world.stop();
  return { bare, mesh };
}
