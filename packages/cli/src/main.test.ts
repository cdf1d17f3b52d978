import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';

// Each test starts processes from the sources, and a busy machine takes seconds for each.
vi.setConfig({ testTimeout: 90_000 });

const main = join(import.meta.dirname, 'main.ts');
const LOOPBACK = ['--xds', '127.0.0.1:0', '--xds-tls', '127.0.0.1:0', '--http', '127.0.0.1:0'];
const SERVICE = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews }
spec:
  hosts: [reviews.example.com]
  resolution: STATIC
  ports: [{ name: http, number: 9080, protocol: HTTP }]
`;

interface Run {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly code: Promise<number>;
  /** Resolves with the output once it matches. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

let folder: string;
let children: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ripstop-cli-'));
  mkdirSync(join(folder, 'mesh'));
  writeFileSync(join(folder, 'mesh/services.yaml'), SERVICE);
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function ripstop(...args: readonly string[]): Run {
  const child = spawn(process.execPath, ['--conditions=development', main, ...args], { cwd: folder });
  children.push(child);
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  const heard = (): void => {
    for (const look of waiting) look();
  };
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    heard();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    heard();
  });
  const code = once(child, 'close').then(([exit]) => Number(exit));
  const said = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stdout + stderr);
        if (match === null) return;
        waiting.delete(look);
        resolve(match);
      };
      waiting.add(look);
      look();
      code.then(() => reject(new Error(`ended without saying ${pattern}:\n${stdout}${stderr}`)));
    });
  return { child, stdout: () => stdout, stderr: () => stderr, code, said };
}

describe('ripstop serve and dev', () => {
  it('serves until SIGTERM, and says what a saved file does', async () => {
    const run = ripstop('serve', '--source', 'mesh', '--state-dir', 'state', ...LOOPBACK);
    const [, page] = await run.said(/page (http:\S+)/);
    expect((await fetch(`${page}ready`)).status).toBe(200);
    writeFileSync(join(folder, 'mesh/services.yaml'), SERVICE.replace('hosts:', 'hsots:'));
    await run.said(/error services\.yaml:5 ServiceEntry default\/reviews spec\.hsots: .*hosts.*\n/);
    run.child.kill('SIGTERM');
    expect(await run.code).toBe(0);
    expect(run.stderr()).toBe('');
  });

  // Elsewhere threads have no priority of their own, or no names.
  it.skipIf(process.platform !== 'linux' || Number.parseInt(process.versions.node, 10) < 24)(
    'runs V8’s helpers at a lower priority than its event loop (on Linux, from Node 24)',
    async () => {
      const run = ripstop('serve', '--source', 'mesh', ...LOOPBACK);
      await run.said(/page (http:\S+)/);
      const tasks = `/proc/${run.child.pid}/task`;
      const nice = (pattern: RegExp): number[] =>
        readdirSync(tasks)
          .filter((task) => pattern.test(readFileSync(join(tasks, task, 'comm'), 'utf8').trim()))
          .map((task) =>
            Number(
              readFileSync(join(tasks, task, 'stat'), 'utf8')
                .split(') ')[1]
                ?.split(' ')[16],
            ),
          );
      const helpers = nice(/V8Worker$/);
      expect(helpers.length).toBeGreaterThan(0);
      expect(new Set(helpers)).toEqual(new Set([Math.min(nice(/MainThread$/)[0]! + 5, 19)]));
    },
  );

  it('closes once for a Ctrl-C that comes twice, from the terminal and from a parent', async () => {
    const run = ripstop('serve', '--source', 'mesh', ...LOOPBACK);
    await run.said(/page (http:\S+)/);
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    expect(await run.code).toBe(0);
    expect(run.stdout()).toContain('SIGINT: closing');
  });

  it('says how to join, and makes it enough to be in the same folder', async () => {
    const dev = ripstop('dev', 'mesh', ...LOOPBACK);
    await dev.said(/ripstop run --service <name> --version v1 -- node <program>\.js/);
    const [, xdsTls] = await dev.said(/over TLS and CA (\S+)/);
    const run = ripstop('run', '--service', 'reviews', '--', 'node', '-p', 'process.env.RIPSTOP_XDS');
    expect(await run.code).toBe(0);
    expect(run.stdout()).toBe(`grpcs://${xdsTls}\n`);
    dev.child.kill('SIGINT');
    expect(await dev.code).toBe(0);
  });

  it.each(['--xds', '--xds-tls', '--http'])(
    'ends with exit code 1 and the option to change when the port of %s is taken',
    async (option) => {
      const taken = createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
      const run = ripstop('serve', '--source', 'mesh', ...LOOPBACK, option, address);
      expect(await run.code).toBe(1);
      expect(run.stderr().trimEnd().split('\n')).toEqual([expect.stringContaining(`name another one with ${option} (`)]);
      expect(run.stderr()).toContain('EADDRINUSE');
      taken.close();
    },
  );
});

describe('ripstop run', () => {
  it('passes SIGTERM on and ends with the exit code of the program', async () => {
    await ripstop('dev', 'mesh', ...LOOPBACK).said(/ripstop run/);
    const program = 'process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up")';
    const run = ripstop('run', '--service', 'reviews', '--', 'node', '-e', program);
    await run.said(/up/);
    run.child.kill('SIGTERM');
    expect(await run.code).toBe(7);
  });
});

describe('ripstop gateway', () => {
  const gateway = (port: number): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: ${port}, name: http, protocol: HTTP }, hosts: ["*"] }]
`;

  it('names its listeners and ends with 0 on SIGTERM', async () => {
    writeFileSync(join(folder, 'mesh/gateway.yaml'), gateway(8080));
    await ripstop('dev', 'mesh', ...LOOPBACK).said(/ripstop run/);
    const run = ripstop('gateway', '--port', '8080=0');
    const [, address] = await run.said(/listener 8080 on (127\.0\.0\.1:\d+)/);
    expect((await fetch(`http://${address}/`)).status).toBe(404); // No route: the listener answers.
    run.child.kill('SIGTERM');
    expect(await run.code).toBe(0);
  });

  it('says when no Gateway selects it, and ends with 1 when its port is taken', async () => {
    const dev = ripstop('dev', 'mesh', ...LOOPBACK);
    await dev.said(/ripstop run/);
    await ripstop('gateway').said(/no listener yet: no Gateway selects istio=ingressgateway/);
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    writeFileSync(join(folder, 'mesh/gateway.yaml'), gateway(port));
    await dev.said(/2 objects in 2 files read/);
    const run = ripstop('gateway');
    expect(await run.code).toBe(1);
    expect(run.stderr()).toMatch(new RegExp(`^ripstop: cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`, 'm'));
    taken.close();
  });
});

describe('ripstop proxy-status and proxy-config', () => {
  async function finished(...args: readonly string[]): Promise<string> {
    const run = ripstop(...args);
    expect([await run.code, run.stderr()]).toEqual([0, '']);
    return run.stdout();
  }

  it('tell who is connected and what each has, in columns and as JSON', async () => {
    await ripstop('dev', 'mesh', ...LOOPBACK).said(/ripstop run/);
    await ripstop('gateway').said(/no listener yet/);
    const status = await finished('proxy-status');
    expect(status).toMatch(/^NAME +CDS +LDS +EDS +RDS +REFUSES\n/);
    const [, name] = /^(istio-ingressgateway-\S+) +SYNCED +SYNCED/m.exec(status) ?? [];
    expect(name).toBeDefined();
    expect(await finished('proxy-config', 'cluster', name!)).toMatch(/^reviews\.example\.com +9080 +- +outbound +EDS$/m);
    const clusters = JSON.parse(await finished('pc', 'cluster', name!, '-o', 'json')) as { name: string }[];
    expect(clusters.map((cluster) => cluster.name)).toContain('outbound|9080||reviews.example.com');
    expect(parse(await finished('pc', 'cluster', name!, '-o', 'yaml'))).toEqual(clusters);
    for (const kind of ['listener', 'route', 'endpoint']) expect(await finished('pc', kind, name!)).toMatch(/^[A-Z]/);
    const unknown = ripstop('pc', 'route', 'nobody');
    expect([await unknown.code, unknown.stderr()]).toEqual([1, `ripstop: proxyID=nobody is not connected; connected are: ${name}\n`]);
  });

  it('print what a proxyless gRPC client does otherwise than configured', async () => {
    const notes = [{ resource: 'outbound|80||web', text: 'the client has no LEAST_REQUEST' }];
    const row = { id: '', name: 'web-1', namespace: 'default', synced: true, nack: '', types: [], notes };
    const plane = createHttpServer((_request, response) => response.end(JSON.stringify([row]))).listen(0, '127.0.0.1');
    await once(plane, 'listening');
    const status = await finished('proxy-status', '--http', `127.0.0.1:${(plane.address() as AddressInfo).port}`);
    plane.close();
    expect(status.split('\n').at(-2)).toBe('note: web-1.default: outbound|80||web: the client has no LEAST_REQUEST');
  });

  it('say where to find a control plane when none answers', async () => {
    const run = ripstop('proxy-status', '--http', '127.0.0.1:1');
    expect(await run.code).toBe(1);
    expect(run.stderr()).toMatch(/^ripstop: no control plane answers at http:\/\/127\.0\.0\.1:1: start `ripstop dev <folder>`/);
  });
});

describe('errors', () => {
  it.each([
    {
      args: ['serve', '--source', 'nowhere'],
      says: 'ripstop: there is no file or folder nowhere: make it, or name the one that holds the YAML',
    },
    { args: ['analyze', 'nowhere'], says: 'ripstop: there is no file or folder nowhere: name the one that holds the YAML' },
    { args: ['token', '--state-dir', 'mesh'], says: 'ripstop: whose token? Give --service <name> or --service-account <name>' },
    {
      args: ['run', '--service', 'a', '--', 'node'],
      says: /^ripstop: no control plane has run in .*\.ripstop .*: start `ripstop dev <folder>`/,
    },
    { args: ['serve', '--source', 'mesh', '--xds', '15010'], says: /^error: .*Give host:port/ },
    {
      args: ['explain', 'GET', 'reviews:9080', '--from', 'web'],
      says: /^error: .*value 'reviews:9080' is invalid.*Give a URL with its scheme/,
    },
    { args: ['translate', 'mesh', '--node', 'nowhere'], says: /^ripstop: --node nowhere cannot be read: give a file with a JSON array/ },
    {
      args: ['dev', 'mesh', '--state-dir', 'mesh/services.yaml'],
      says: /^ripstop: the state directory mesh\/services.yaml cannot be made: name another with --state-dir/,
    },
    { args: ['sevre'], says: /^error: unknown command 'sevre'/ },
  ])('$args ends with exit code 1 and no stack', async ({ args, says }) => {
    const run = ripstop(...args);
    expect(await run.code).toBe(1);
    const [line] = run.stderr().split('\n');
    if (typeof says === 'string') expect(line).toBe(says);
    else expect(line).toMatch(says);
    expect(run.stderr()).not.toMatch(/\n\s+at /);
    expect(run.stdout()).toBe('');
  });
});

describe('ripstop analyze', () => {
  it('prints findings as JSON on standard output and ends with 79', async () => {
    writeFileSync(join(folder, 'mesh/services.yaml'), SERVICE.replace('hosts:', 'hsots:'));
    const run = ripstop('analyze', 'mesh', '-o', 'json');
    expect(await run.code).toBe(79);
    expect(JSON.parse(run.stdout())[0]).toMatchObject({ level: 'Error', reference: 'mesh/services.yaml:5' });
  });

  it('ends with 0 when nothing is wrong', async () => {
    const run = ripstop('analyze', 'mesh');
    expect(await run.code).toBe(0);
    expect(run.stdout()).toBe('');
    expect(run.stderr()).toContain('No validation issues found');
  });
});

describe('ripstop translate', () => {
  const nodes = [
    { Name: 'web', ID: 'sidecar~10.0.0.2~web-1.default~default.svc.cluster.local' },
    { Name: 'grpc', ID: 'sidecar~10.0.0.3~grpc-1.default~default.svc.cluster.local', Metadata: { GENERATOR: 'grpc' } },
  ];

  it('prints the xDS of each node, in the dialect that its client reads', async () => {
    writeFileSync(join(folder, 'mesh/nodes.json'), JSON.stringify(nodes));
    const run = ripstop('translate', 'mesh', '--node', 'mesh/nodes.json', '-o', 'json');
    expect(await run.code).toBe(0);
    const dump = JSON.parse(run.stdout());
    expect(Object.keys(dump)).toEqual(['web', 'grpc']);
    expect(Object.keys(dump.web)).toEqual(['clusters', 'endpoints', 'listeners', 'routes']);
    expect(dump.web.endpoints).toContainEqual(expect.objectContaining({ cluster_name: 'outbound|9080||reviews.example.com' }));
    expect(dump.grpc.listeners.map(({ name }: { name: string }) => name)).toContain('reviews.example.com:9080');
    expect(dump.grpc.routes.map(({ name }: { name: string }) => name)).toContain('outbound|9080||reviews.example.com');
  });

  it('prints the findings and nothing else for YAML that is not valid, with exit code 1', async () => {
    writeFileSync(join(folder, 'nodes.json'), JSON.stringify(nodes));
    writeFileSync(join(folder, 'mesh/services.yaml'), SERVICE.replace('hosts:', 'hsots:'));
    const run = ripstop('translate', 'mesh', '--node', 'nodes.json');
    expect(await run.code).toBe(1);
    expect(run.stdout()).toBe('');
    expect(run.stderr()).toContain('mesh/services.yaml:5');
  });
});
