import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { createControlPlane, RootFiles } from '@ripstop/control-plane';
import { createMesh, type Mesh } from '@ripstop/node';
import { createCsr, createKeyPair, privateKeyPem } from '@ripstop/pki';

/** What a run showed. */
export interface RotationFigures {
  readonly requests: number;
  readonly failed: number;
  /** The first few, for whoever reads a failure. */
  readonly failures: readonly string[];
  readonly leafRotations: number;
  /** How long after the last step an open connection of the removed root was still served, ms. */
  readonly liveRefusedAfterMs: number;
  /** The same for a new connection. */
  readonly newRefusedAfterMs: number;
  /** The same for connections that resume a session from before the last step, with TLS 1.2 and 1.3; the later of both. */
  readonly resumedRefusedAfterMs: number;
  /** How long each step took until every workload had a certificate of it, ms. */
  readonly stepMs: Readonly<Record<'begin' | 'switch' | 'finish', number>>;
}

export interface RotationOptions {
  /** Leaf rotations of caller and service together, under traffic. */
  readonly leafRotations: number;
  /** At least this many requests run through the three steps. */
  readonly requests: number;
  readonly callers: number;
  readonly say?: (text: string) => void;
}

const MESH = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;
const DEADLINE_MS = 30_000;
const CONNECTIONS_MS = 1_500;

/** A service and a caller under traffic, through leaf rotations and the three steps of a root rotation. */
export async function runRotation({ leafRotations, requests, callers, say = () => {} }: RotationOptions): Promise<RotationFigures> {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-rotation-'));
  const stateDir = join(dir, 'state');
  writeFileSync(join(dir, 'mesh.yaml'), MESH);
  const plane = createControlPlane({ source: join(dir, 'mesh.yaml'), stateDir, xds: '', xdsTls: '127.0.0.1:0', http: '' });
  await plane.start();
  const join_ = (service: string): Mesh =>
    createMesh({
      service,
      xds: `grpcs://${plane.addresses.xdsTls}`,
      rootCertificatePem: plane.ca.rootCertificatePem,
      token: plane.tokens.issue({ namespace: 'default', serviceAccount: service, ttlSeconds: 3600 }),
      admin: 'off',
    });
  const web = join_('web');
  const caller = join_('caller');
  const traffic = new Traffic(caller, callers);
  try {
    const { port } = await web.listen((_request, response) => response.end('ok'), 9080, { bindPort: 0 });
    await caller.ready();
    await until('the service answers', async () => (await caller.fetch('http://web:9080/')).status === 200);
    traffic.start();

    say(`${leafRotations} leaf rotations`);
    for (let count = 0; count < leafRotations; count++) await (count % 2 === 0 ? web : caller).rotateIdentity();

    const files = new RootFiles({ stateDir, trustDomain: 'cluster.local', now: Date.now });
    const old = new OldRootClient(plane.ca, port);
    const everybody = [web, caller];
    const stepMs = { begin: 0, switch: 0, finish: 0 };
    let liveRefusedAfterMs = -1;
    let newRefusedAfterMs = -1;
    let resumedRefusedAfterMs = -1;
    for (const step of ['begin', 'switch', 'finish'] as const) {
      say(`root rotation: ${step}`);
      const before = everybody.map((mesh) => mesh.health().certificateSerial);
      if (step === 'finish') await old.open();
      const started = performance.now();
      files[step]();
      if (step === 'finish') {
        // At once: who waits for one before it tries the next measures its own waiting.
        [liveRefusedAfterMs, newRefusedAfterMs, resumedRefusedAfterMs] = await Promise.all([
          old.closedAfter(started),
          old.refusedAfter(started),
          old.resumedRefusedAfter(started),
        ]);
      }
      // A new certificate follows each change of the roots.
      await until(`${step} has reached everybody`, async () =>
        everybody.every((mesh, at) => mesh.health().certificateSerial !== before[at]),
      );
      stepMs[step] = Math.round(performance.now() - started);
      await traffic.more(requests / 3);
      // Callers leave connections with the certificate before within a second, spread.
      await new Promise((resolve) => setTimeout(resolve, CONNECTIONS_MS));
    }
    await traffic.stop();
    return { ...traffic.figures, leafRotations, liveRefusedAfterMs, newRefusedAfterMs, resumedRefusedAfterMs, stepMs };
  } finally {
    await traffic.stop();
    await Promise.all([web, caller].map((mesh) => mesh.close({ drainMs: 0 })));
    await plane.close();
    rmSync(dir, { recursive: true });
  }
}

/** A closed loop of callers; every answer but 200 is a failure. */
class Traffic {
  private readonly mesh: Mesh;
  private readonly callers: number;
  private running = false;
  private loops: Promise<void>[] = [];
  private requests = 0;
  private failed = 0;
  private readonly failures: string[] = [];

  constructor(mesh: Mesh, callers: number) {
    this.mesh = mesh;
    this.callers = callers;
  }

  get figures(): Pick<RotationFigures, 'requests' | 'failed' | 'failures'> {
    return { requests: this.requests, failed: this.failed, failures: this.failures };
  }

  start(): void {
    this.running = true;
    this.loops = Array.from({ length: this.callers }, () => this.loop());
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.loops);
  }

  /** Resolves once so many more requests were answered. */
  more(count: number): Promise<void> {
    const goal = this.requests + count;
    return until(`${count} more requests`, async () => this.requests >= goal, 10 * DEADLINE_MS);
  }

  private async loop(): Promise<void> {
    while (this.running) {
      const outcome = await this.call();
      this.requests++;
      if (outcome === '200 ok') continue;
      this.failed++;
      if (this.failures.length < 5) this.failures.push(outcome);
    }
  }

  private async call(): Promise<string> {
    try {
      const response = await this.mesh.fetch('http://web:9080/');
      return `${response.status} ${await response.text()}`;
    } catch (error) {
      return String(error);
    }
  }
}

interface ResumableSession {
  readonly version: 'TLSv1.2' | 'TLSv1.3';
  readonly session: Buffer | undefined;
}

/** Holds a certificate of the root that is taken out, and never another one. */
class OldRootClient {
  private readonly port: number;
  private readonly material: { readonly key: string; readonly cert: string; readonly ca: string };
  private socket: TLSSocket | undefined;
  private readonly sessions: ResumableSession[] = [];

  constructor(
    ca: { readonly rootCertificatePem: string; issue(csr: string, id: string, ttl: number): { readonly chain: readonly string[] } },
    port: number,
  ) {
    const keys = createKeyPair();
    const { chain } = ca.issue(createCsr(keys, {}), 'spiffe://cluster.local/ns/default/sa/caller', 3600);
    this.material = { key: privateKeyPem(keys.privateKey), cert: chain[0]!, ca: ca.rootCertificatePem };
    this.port = port;
  }

  async open(): Promise<void> {
    this.socket = this.connect();
    await once(this.socket, 'secureConnect');
    if ((await ask(this.socket)) !== 200) throw new Error('the client of the old root was not served before the last step');
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = this.connect({ version, session: undefined });
      let session: Buffer | undefined;
      socket.on('session', (next: Buffer) => {
        session = next;
      });
      await once(socket, 'secureConnect');
      await ask(socket);
      this.sessions.push({ version, session: session ?? socket.getSession() });
      socket.destroy();
    }
  }

  /** Time from `started` until the open connection is gone. */
  async closedAfter(started: number): Promise<number> {
    const { socket } = this;
    if (socket === undefined) throw new Error('open() first');
    if (!socket.destroyed) await once(socket, 'close');
    return Math.round(performance.now() - started);
  }

  async resumedRefusedAfter(started: number): Promise<number> {
    return Math.max(...(await Promise.all(this.sessions.map((resumed) => this.refusedAfter(started, resumed)))));
  }

  /** Time from `started` until a new connection is served no more. */
  async refusedAfter(started: number, resumed?: ResumableSession): Promise<number> {
    for (;;) {
      const socket = this.connect(resumed);
      const served = await new Promise<boolean>((resolve) => {
        socket.once('secureConnect', () => void ask(socket).then((status) => resolve(status === 200)));
        socket.once('close', () => resolve(false));
      });
      socket.destroy();
      if (!served) return Math.round(performance.now() - started);
    }
  }

  /** The server's own certificate is not this client's question. */
  private connect(resumed?: ResumableSession): TLSSocket {
    const socket = connect({
      ...(resumed === undefined ? {} : { minVersion: resumed.version, maxVersion: resumed.version }),
      ...(resumed?.session === undefined ? {} : { session: resumed.session }),
      host: '127.0.0.1',
      port: this.port,
      ...this.material,
      ALPNProtocols: ['istio-http/1.1'],
      rejectUnauthorized: false,
    });
    socket.on('error', () => {}); // It closes next, and that is what is waited for.
    return socket;
  }
}

/** Status of one request; 0 when the connection ended instead. */
function ask(socket: TLSSocket): Promise<number> {
  socket.write('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
  return new Promise((resolve) => {
    socket.once('data', (data) => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString())?.[1] ?? 0)));
    socket.once('close', () => resolve(0));
  });
}

async function until(what: string, holds: () => Promise<boolean>, withinMs = DEADLINE_MS): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
