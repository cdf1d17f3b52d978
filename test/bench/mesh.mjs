// A control plane for one block of the bench, over a folder of YAML.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../packages/cli/dist/main.mjs', import.meta.url));
const READY_MS = 60_000; // Machines that others use take their time; what is measured comes later.

export class BenchMesh {
  static async start(files) {
    const mesh = new BenchMesh();
    await mesh.#start(files);
    return mesh;
  }

  async #start(files) {
    this.dir = mkdtempSync(join(tmpdir(), 'ripstop-bench-'));
    const source = join(this.dir, 'mesh');
    mkdirSync(source);
    for (const [name, yaml] of Object.entries(files)) writeFileSync(join(source, name), yaml);
    const [xds, tls, http] = await Promise.all([freePort(), freePort(), freePort()]);
    this.tlsPort = tls;
    const args = [CLI, 'serve', '--source', source, '--state-dir', join(this.dir, 'state')];
    args.push('--xds', `127.0.0.1:${xds}`, '--xds-tls', `127.0.0.1:${tls}`, '--http', `127.0.0.1:${http}`);
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (text) => (output = (output + text).slice(-4_000)));
    process.once('exit', () => this.stop());
    const until = performance.now() + READY_MS;
    while (!(await isReady(http))) {
      if (this.child.exitCode !== null || performance.now() > until) throw new Error(`the control plane did not start:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { createTokenIssuer } = await import('../../packages/control-plane/dist/index.mjs');
    this.issuer = createTokenIssuer({ stateDir: join(this.dir, 'state') });
  }

  /** What a service of this mesh finds in its environment. */
  environment(service) {
    return {
      RIPSTOP_SERVICE: service,
      RIPSTOP_XDS: `grpcs://127.0.0.1:${this.tlsPort}`,
      RIPSTOP_ROOT_CERT: join(this.dir, 'state', 'root-cert.pem'),
      RIPSTOP_TOKEN: this.issuer.issue({ namespace: 'default', serviceAccount: service, ttlSeconds: 3_600 }),
      RIPSTOP_PORTS: 'auto',
    };
  }

  /** A certificate of the mesh's CA for a process that is not in the mesh: both arms show the same kind. */
  async certificate(serviceAccount) {
    const { createIdentity } = await import('../../packages/identity/dist/index.mjs');
    const identity = createIdentity({
      caAddress: `127.0.0.1:${this.tlsPort}`,
      rootCertificatePem: readFileSync(join(this.dir, 'state', 'root-cert.pem'), 'utf8'),
      token: () => this.issuer.issue({ namespace: 'default', serviceAccount, ttlSeconds: 3_600 }),
      trustDomain: 'cluster.local',
      namespace: 'default',
      serviceAccount,
      clock: { now: () => performance.now(), wallTime: Date.now, setTimer: () => ({ cancel() {} }) }, // Nothing is renewed.
      random: Math.random,
    });
    await identity.ready();
    const svid = identity.current();
    identity.close();
    return { cert: svid.certificateChainPem, key: svid.privateKeyPem, ca: svid.trustBundlePem };
  }

  stop() {
    if (this.child === undefined) return;
    this.child.kill('SIGKILL');
    this.child = undefined;
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function isReady(port) {
  try {
    return (await fetch(`http://127.0.0.1:${port}/ready`)).status === 200;
  } catch {
    return false; // not listening yet
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
