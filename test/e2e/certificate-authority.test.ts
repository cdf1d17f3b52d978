import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createKeyPair, createSelfSignedRoot, type Issuer, issueCertificate, verifyCsr } from '@ripstop/pki';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { codeBlocks } from './code-blocks.ts';
import { Terminal } from './terminal.ts';

const root = join(import.meta.dirname, '../..');
const FREE_PORTS = '--xds 127.0.0.1:0 --xds-tls 127.0.0.1:0 --http 127.0.0.1:0';
const ID = 'spiffe://cluster.local/ns/default/sa';
/** Long beside the time in which a caller leaves connections with the certificate of before. */
const CONNECTIONS_MS = 1_500;

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
const WEB = `import { createMesh } from '@ripstop/node';
const mesh = createMesh();
await mesh.listen((request, response) => response.end(String(request.headers['x-forwarded-client-cert'])), 9080);
console.log('web listens');
`;
/** Calls until there is a file \`stop\`, then says how often, and what went wrong. */
const CALLER = `import { existsSync } from 'node:fs';
import { createMesh } from '@ripstop/node';
const mesh = createMesh();
await mesh.ready();
let calls = 0;
let failed = 0;
while (!existsSync('stop')) {
  const answer = await mesh.fetch('http://web:9080/').then(async (response) => response.status + ' ' + (await response.text()), String);
  if (++calls === 1) console.log('first answer', answer);
  if (!answer.startsWith('200 ') && ++failed <= 3) console.log('failed', answer);
  await new Promise((resolve) => setTimeout(resolve, 5));
}
console.log('calls', calls, 'failed', failed);
await mesh.close({ drainMs: 0 });
`;

/** A user in a folder, with a terminal for each command that runs on. */
class User {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'ripstop-ca-'));
  readonly state: string = join(this.folder, '.ripstop');
  private readonly terminals: Terminal[] = [];
  private readonly env: NodeJS.ProcessEnv;

  constructor() {
    mkdirSync(join(this.folder, 'node_modules/@ripstop'), { recursive: true });
    for (const name of ['node', 'control-plane'])
      symlinkSync(join(root, 'packages', name), join(this.folder, 'node_modules/@ripstop', name));
    mkdirSync(join(this.folder, 'bin'));
    symlinkSync(join(root, 'packages/cli/dist/main.mjs'), join(this.folder, 'bin/ripstop'));
    mkdirSync(this.state, { mode: 0o700 });
    for (const [name, content] of Object.entries({
      'mesh.yaml': MESH,
      'web.js': WEB,
      'caller.js': CALLER,
      'package.json': '{"type":"module"}',
    }))
      writeFileSync(join(this.folder, name), content);
    const { NODE_OPTIONS: _options, NODE_ENV: _env, ...inherited } = process.env;
    const own = Object.fromEntries(Object.entries(inherited).filter(([name]) => !name.startsWith('RIPSTOP_')));
    this.env = { ...own, PATH: [join(this.folder, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter) };
  }

  open(command: string, env: NodeJS.ProcessEnv = {}): Terminal {
    const terminal = new Terminal(command, { cwd: this.folder, env: { ...this.env, ...env } });
    this.terminals.push(terminal);
    return terminal;
  }

  /** Runs to its end; answers what it printed. */
  async run(command: string, code = 0): Promise<string> {
    const terminal = this.open(command);
    expect([command, await terminal.ended, terminal.output]).toEqual([command, code, expect.any(String)]);
    return terminal.output;
  }

  async serve(): Promise<Terminal> {
    const plane = this.open(`ripstop serve --source mesh.yaml ${FREE_PORTS}`);
    await plane.said(/xds over TLS and CA \S+/);
    return plane;
  }

  /** Starts `web` and a caller; answers the caller, and what it was answered first. */
  async traffic(more = ''): Promise<{ readonly caller: Terminal; readonly first: string }> {
    await this.open(`ripstop run${more} --service web -- node web.js`).said(/web listens/);
    const caller = this.open(`ripstop run${more} --service caller -- node caller.js`);
    const [, first] = await caller.said(/first answer (.*)/);
    return { caller, first: first! };
  }

  /** Ends the traffic; answers how many calls there were, and how many failed. */
  async stop(caller: Terminal): Promise<{ readonly calls: number; readonly failed: number }> {
    writeFileSync(join(this.folder, 'stop'), '');
    const [, calls, failed] = await caller.said(/calls (\d+) failed (\d+)/);
    if (failed !== '0') throw new Error(caller.output);
    return { calls: Number(calls), failed: Number(failed) };
  }

  /** One step of a new root: what is done, until both workloads have a certificate of it, and use no other. */
  async step(plane: Terminal, act: () => unknown): Promise<void> {
    const from = plane.output.length;
    await act();
    for (const name of ['web', 'caller']) await plane.said(new RegExp(`issued +${ID}/${name} `), { from, withinMs: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, CONNECTIONS_MS));
  }

  async leave(): Promise<void> {
    await Promise.all([...this.terminals].reverse().map((terminal) => terminal.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe('the root that the control plane made', { timeout: 120_000 }, () => {
  let user: User;
  beforeEach(() => {
    user = new User();
  });
  afterEach(() => user.leave());

  it('is rotated by the command line under traffic, and `ca status` says where it stands', async () => {
    const plane = await user.serve();
    const { caller, first } = await user.traffic();
    expect(first).toContain(`200 By=${ID}/web;`);
    expect(await user.run('ripstop ca status')).toMatch(/root +O=cluster\.local +yes .*\n(.*\n)*settled: .*`ripstop ca rotate begin`/);
    expect(await user.run('ripstop ca rotate finish', 1)).toMatch(/is settled: the next step is begin/);
    for (const [step, stands] of [
      ['begin', /yes .*\n.* no .*\ndistributing: .*rotate switch/],
      ['switch', /yes .*\n.* no .*\nswitched: .*rotate finish/],
      ['finish', /yes .*\nsettled: /],
    ] as const)
      await user.step(plane, async () => expect(await user.run(`ripstop ca rotate ${step}`)).toMatch(stands));
    const { step, certificates } = JSON.parse(await user.run('ripstop ca status -o json'));
    expect([step, certificates]).toEqual(['settled', [expect.objectContaining({ kind: 'root', signs: true })]]);
    expect((await user.stop(caller)).calls).toBeGreaterThan(100);
  });
});

const withoutOpenssl = spawnSync('openssl', ['version']).status !== 0;
if (withoutOpenssl) console.warn('test/e2e/certificate-authority: openssl is not on the PATH; the files that it makes are not tried');

/** As Istio's "Plug in CA Certificates" makes them: RSA, openssl, an intermediate below a root. */
class PluggedIn {
  readonly dir: string;

  constructor(dir: string, name: string) {
    this.dir = dir;
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'ca.conf'), CONF);
    this.openssl('genrsa', '-out', 'root-key.pem', '2048');
    this.openssl(
      'req',
      '-x509',
      '-sha256',
      '-days',
      '30',
      '-config',
      'ca.conf',
      '-extensions',
      'ca',
      '-subj',
      `/O=Istio/CN=${name}`,
      '-key',
      'root-key.pem',
      '-out',
      'root-cert.pem',
    );
    this.openssl('genrsa', '-out', 'ca-key.pem', '2048');
    this.sign('ca', `/O=Istio/CN=Intermediate of ${name}/L=cluster1`, 'ca-cert.pem');
    writeFileSync(join(dir, 'cert-chain.pem'), this.read('ca-cert.pem') + this.read('root-cert.pem'));
  }

  /** A certificate of the root's, for the key of `ca-key.pem`. */
  sign(section: 'ca' | 'leaf', subject: string, file: string): void {
    this.openssl('req', '-new', '-sha256', '-config', 'ca.conf', '-subj', subject, '-key', 'ca-key.pem', '-out', 'csr.pem');
    this.openssl(
      'x509',
      '-req',
      '-sha256',
      '-days',
      '20',
      '-CA',
      'root-cert.pem',
      '-CAkey',
      'root-key.pem',
      '-CAcreateserial',
      '-extensions',
      section,
      '-extfile',
      'ca.conf',
      '-in',
      'csr.pem',
      '-out',
      file,
    );
  }

  read(file: string): string {
    return readFileSync(join(this.dir, file), 'utf8');
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.dir, stdio: 'pipe' });
  }
}

const CONF = `[ req ]
prompt = no
distinguished_name = name
[ name ]
O = Istio
[ ca ]
subjectKeyIdentifier = hash
basicConstraints = critical, CA:true
keyUsage = critical, digitalSignature, nonRepudiation, keyEncipherment, keyCertSign
[ leaf ]
basicConstraints = critical, CA:false
`;

describe.skipIf(withoutOpenssl)("files of somebody else's CA, by Istio's names", { timeout: 120_000 }, () => {
  const made = mkdtempSync(join(tmpdir(), 'ripstop-plugged-'));
  let old: PluggedIn;
  let next: PluggedIn;
  let user: User;
  beforeAll(() => {
    old = new PluggedIn(join(made, 'old'), 'Root');
    next = new PluggedIn(join(made, 'next'), 'Next Root');
  });
  beforeEach(() => {
    user = new User();
    give(old, 'ca-cert.pem', 'ca-key.pem', 'root-cert.pem', 'cert-chain.pem');
  });
  afterEach(() => user.leave());
  afterAll(() => rmSync(made, { recursive: true }));

  const give = (ca: PluggedIn, ...files: readonly string[]): void => {
    for (const file of files) cpSync(join(ca.dir, file), join(user.state, file));
  };
  const roots = (content: string): void => {
    writeFileSync(join(user.state, 'new.pem'), content);
    renameSync(join(user.state, 'new.pem'), join(user.state, 'root-cert.pem'));
  };

  it('sign for services that talk mTLS, and their root is replaced in three steps without a failed call', async () => {
    const plane = await user.serve();
    const { caller, first } = await user.traffic();
    expect(first).toContain(`;URI=${ID}/caller`);
    expect(await user.run('ripstop ca status')).toMatch(
      /intermediate +O=Istio, CN=Intermediate of Root, L=cluster1 +yes .*\n.*root +O=Istio, CN=Root +no .*\nforeign: .*ask for new files/,
    );
    expect(await user.run('ripstop ca rotate begin', 1)).toMatch(/ca-cert\.pem is an intermediate, and its root somebody else's/);
    await user.step(plane, () => roots(old.read('root-cert.pem') + next.read('root-cert.pem')));
    await user.step(plane, () => give(next, 'ca-key.pem', 'cert-chain.pem', 'ca-cert.pem'));
    await user.step(plane, () => roots(next.read('root-cert.pem')));
    expect((await user.stop(caller)).calls).toBeGreaterThan(100);
    expect(existsSync(join(user.state, 'root-key.pem'))).toBe(false);
  });

  it.each<[what: string, spoil: () => void, why: RegExp]>([
    ['the key of another certificate', () => give(next, 'ca-key.pem'), /ca-key\.pem is not the key of \S+ca-cert\.pem: put a key/],
    [
      'a leaf',
      () => give(leafOf(old), 'ca-cert.pem'),
      /ca-cert\.pem \(O=Istio, CN=leaf\) is no CA certificate .*: a leaf signs nothing; put/,
    ],
    ['no key', () => rmSync(join(user.state, 'ca-key.pem')), /needs \S+ca-key\.pem: put it there/],
    [
      'no certificate',
      () => rmSync(join(user.state, 'ca-cert.pem')),
      /ca-cert\.pem is missing beside ca-key\.pem, root-cert\.pem, cert-chain\.pem: put/,
    ],
    ['another root', () => roots(next.read('root-cert.pem')), /ca-cert\.pem ends in no root of \S+root-cert\.pem: .*; put that one there/],
  ])('with %s end the start with file and fix; a running control plane stays as it was and says so', async (_what, spoil, why) => {
    const plane = await user.serve();
    spoil();
    await plane.said(why);
    expect(plane.output).toContain('the CA is as it was, what has changed does not fit: ');
    expect(plane.running).toBe(true);
    expect(await user.run(`ripstop serve --source mesh.yaml ${FREE_PORTS}`, 1)).toMatch(why);
    expect(await user.run('ripstop ca status', 1)).toMatch(why);
  });

  const leafOf = (ca: PluggedIn): PluggedIn => {
    const copy = Object.assign(Object.create(PluggedIn.prototype), { dir: join(made, 'leaf') }) as PluggedIn;
    cpSync(ca.dir, copy.dir, { recursive: true });
    copy.sign('leaf', '/O=Istio/CN=leaf', 'ca-cert.pem');
    return copy;
  };
});

describe('a signer in the place of the CA, as the guide writes it', { timeout: 90_000 }, () => {
  const [program] = codeBlocks(readFileSync(join(root, 'docs/guides/identity.md'), 'utf8')).filter(({ file }) => file === 'plane.js');
  const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 };
  let user: User;
  let vault: Server;
  let answers = 200;
  beforeEach(() => {
    user = new User();
    answers = 200;
    const corp = createSelfSignedRoot({ organization: 'corp', ...times });
    const keys = createKeyPair();
    const between: Issuer = {
      privateKey: keys.privateKey,
      certificatePem: issueCertificate(
        { certificatePem: corp.certificatePem, privateKey: corp.keyPair.privateKey },
        { publicKey: keys.publicKey, names: {}, organization: 'between', isCa: true, ...times },
      ),
    };
    writeFileSync(join(user.folder, 'corp-root.pem'), corp.certificatePem);
    vault = createServer(async (request, response) => {
      const { csr, uri_sans: uri } = JSON.parse(await text(request));
      expect([request.url, request.headers['x-vault-token']]).toEqual(['/v1/pki/sign/mesh', 'secret']);
      const certificate = issueCertificate(between, { publicKey: verifyCsr(csr), names: { uris: [uri] }, ...times });
      const data = {
        certificate,
        ca_chain: [between.certificatePem, corp.certificatePem],
        serial_number: '01',
        expiration: times.notAfterMs / 1000,
      };
      response.writeHead(answers).end(JSON.stringify({ data }));
    });
  });
  afterEach(async () => {
    vault.close();
    await user.leave();
  });

  it('gives workloads their certificates, also when it was away for a while', async () => {
    await new Promise<void>((resolve) => vault.listen(0, '127.0.0.1', resolve));
    // The one thing that is not as written: free ports.
    const ports = "stateDir: '.ripstop', xds: '127.0.0.1:0', xdsTls: '127.0.0.1:0', http: ''";
    writeFileSync(join(user.folder, 'plane.js'), program!.text.replace("stateDir: '.ripstop'", ports));
    answers = 503;
    const plane = user.open('node plane.js', {
      VAULT_ADDR: `http://127.0.0.1:${(vault.address() as AddressInfo).port}`,
      VAULT_TOKEN: 'secret',
    });
    const [, address] = await plane.said(/xdsTls: '([^']+)'/);
    const starting = user.traffic(` --xds ${address}`);
    await plane.said(/no certificate for \S+ Vault answered 503/);
    answers = 200;
    const { caller, first } = await starting;
    expect(first).toContain(`200 By=${ID}/web;`);
    expect(first).toContain(`;URI=${ID}/caller`);
    // The roots are pushed as well, and are the same: nobody asks again.
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(plane.output.match(/type: 'issued'/g)).toHaveLength(2);
    expect((await user.stop(caller)).calls).toBeGreaterThan(10);
  });
});
