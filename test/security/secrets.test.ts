import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type ControlPlane, createControlPlane } from '@ripstop/control-plane';
import { createMesh, type Mesh } from '@ripstop/node';
import { createKeyPair } from '@ripstop/pki';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { HeapStrings } from './heap-strings.ts';

/* Keys and tokens stay where they belong: in the memory of the process that they are for, and in the CA's own files. */

const YAML = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict }
spec: { mtls: { mode: STRICT } }
`;

let folder: string;
let controlPlane: ControlPlane;
let mesh: Mesh;
let token: string;
let port: number;
const lines: string[] = [];
const errors: unknown[] = [];

/** Every form in which a private key may turn up as text. */
function formsOf(pem: string): string[] {
  const key = createPrivateKey(pem);
  const { d = '' } = key.export({ format: 'jwk' });
  const scalar = Buffer.from(d, 'base64url');
  const body = pem
    .split('\n')
    .filter((line) => !line.startsWith('-') && line !== '')
    .map((line) => line.slice(0, 40));
  // The first line of every P-256 key begins alike.
  return [d, scalar.toString('hex'), scalar.toString('base64'), scalar.toString('latin1'), ...body.slice(1)];
}

const keyOf = (): string => mesh.parts.identity!.current()!.privateKeyPem;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ripstop-secrets-'));
  const source = join(folder, 'mesh.yaml');
  writeFileSync(source, YAML);
  controlPlane = createControlPlane({
    source,
    stateDir: join(folder, 'state'),
    xds: '127.0.0.1:0',
    xdsTls: '127.0.0.1:0',
    http: '127.0.0.1:0',
    onEvent: (event) => lines.push(JSON.stringify(event)),
  });
  await controlPlane.start();
  token = controlPlane.tokens.issue({ namespace: 'default', serviceAccount: 'web', ttlSeconds: 3600 });
  mesh = member(token);
  const app = createServer((_request, response) => void response.end('ok'));
  port = (await mesh.listen(app, 9080)).port;
  await vi.waitFor(async () => expect((await mesh.fetch('http://web:9080/')).status).toBe(200), 5_000);
  await failures();
});

afterAll(async () => {
  await mesh?.close({ drainMs: 0 });
  await controlPlane?.close();
  rmSync(folder, { recursive: true, force: true });
});

function member(joinToken: string, more: object = {}): Mesh {
  return createMesh({
    service: 'web',
    xds: `grpcs://${controlPlane.addresses.xdsTls}`,
    token: joinToken,
    rootCertificatePem: controlPlane.ca.rootCertificatePem,
    admin: '127.0.0.1:0',
    ports: 'auto',
    cacheDir: join(folder, 'cache'),
    log: (line) => lines.push(line),
    ...more,
  });
}

/** What goes wrong says why, and might say too much. */
async function failures(): Promise<void> {
  const forged = `${token.slice(0, -6)}AAAAAA`;
  const stranger = member(forged, { bootTimeoutMs: 1_000, cacheDir: '' });
  await stranger.ready().catch((error: unknown) => errors.push(error));
  await stranger.close({ drainMs: 0 });
  await fetch(`http://127.0.0.1:${port}/`).catch((error: unknown) => errors.push(error));
  await mesh.rotateIdentity();
  expect(errors.length).toBeGreaterThan(0);
}

function filesOf(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? filesOf(path) : [path];
  });
}

function keys(): Readonly<Record<'workload' | 'ca' | 'tokens', readonly string[]>> {
  return {
    workload: formsOf(keyOf()),
    ca: formsOf(readFileSync(join(folder, 'state/ca-key.pem'), 'utf8')),
    tokens: [readFileSync(join(folder, 'state/token-key'), 'utf8').slice(0, 40)],
  };
}

/** Places, and the text that stands there. */
async function places(): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  texts.set('log lines', lines.join('\n'));
  texts.set('errors', errors.map((error) => inspect(error, { depth: 20, showHidden: true })).join('\n'));
  texts.set('environment', JSON.stringify(process.env));
  texts.set('process.report', JSON.stringify(process.report.getReport()));
  texts.set('console.log(mesh)', inspect(mesh, { depth: 30, maxArrayLength: 10_000, maxStringLength: 1_000_000 }));
  // Not as JSON: what has timers running points back at itself.
  texts.set('the snapshot', inspect(mesh.parts.snapshots.current, { depth: 30, maxArrayLength: 10_000, maxStringLength: 1_000_000 }));
  texts.set('health', JSON.stringify([mesh.health(), mesh.parts.identity!.state(), mesh.parts.xdsState()]));
  for (const path of ['/stats/prometheus', '/ready', '/config_dump'])
    texts.set(`admin ${path}`, await read(`http://${mesh.adminAddress}${path}`));
  for (const path of ['/', '/debug/syncz', '/debug/registryz', '/debug/configz', '/debug/config_dump', '/debug/adsz', '/metrics'])
    texts.set(`control plane ${path}`, await read(`http://${controlPlane.addresses.http}${path}`));
  for (const file of filesOf(folder))
    if (!/(?:ca-key\.pem|token-key)$/.test(file)) texts.set(file.slice(folder.length), readFileSync(file, 'latin1'));
  return texts;
}

async function read(url: string): Promise<string> {
  return (await fetch(url)).text();
}

describe('secrets', () => {
  it('of the workload, the CA and the join token are in no log, error, dump, page or file', async () => {
    const { workload, ca, tokens } = keys();
    const needles = new Map<string, readonly string[]>([
      ['the key of the workload', workload],
      ['the key of the CA', ca],
      ['the key of the tokens', tokens],
      ['the join token', [token.split('.')[2]!]],
    ]);
    const hits: string[] = [];
    const texts = await places();
    for (const [place, text] of texts) {
      for (const [what, forms] of needles) if (forms.some((form) => text.includes(form))) hits.push(`${what} in ${place}`);
    }
    expect(hits).toEqual([]);
    expect(texts.size).toBeGreaterThan(15);
    expect([...texts.keys()].filter((place) => place.startsWith('/cache'))).not.toEqual([]);
  });

  it('stand once in the heap: the key of the workload in its certificate, in no state that is exported, kept or logged', async () => {
    const decoy = { copied: `seen: ${createKeyPair().privateKey.export({ type: 'pkcs8', format: 'pem' })}` };
    const heap = await HeapStrings.now();
    expect(heap.holdersOf(formsOf(decoy.copied.slice('seen: '.length)))).toContain('Object.copied'); // A copy would be found.
    const { workload, ca, tokens } = keys();
    expect(heap.holdersOf(workload)).toEqual(['Object.privateKeyPem']);
    expect(heap.holdersOf(ca)).toEqual([]);
    expect(heap.holdersOf(tokens)).toEqual([]);
  });

  it('would be found: the key is where it is used', () => {
    expect(formsOf(keyOf()).some((form) => keyOf().includes(form))).toBe(true);
  });

  it('on disk are for their owner alone', () => {
    for (const name of ['ca-key.pem', 'token-key']) expect(statSync(join(folder, 'state', name)).mode & 0o077).toBe(0);
    for (const file of filesOf(join(folder, 'cache'))) expect(statSync(file).mode & 0o077, file).toBe(0);
  });
});
