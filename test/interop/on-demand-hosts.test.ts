import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '@ripstop/gateway';
import { createMesh } from '@ripstop/node';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { bootstrap } from './envoy/bootstrap.ts';
import { EnvoyProcess } from './envoy/envoy-process.ts';
import { DeltaServer } from './mesh/delta-server.ts';
import { hostOf, onDemandConfig, REFUSES_HERE, serveHost, TABLE, withdrawHost } from './on-demand/config.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: hosts on demand (VHDS) beside an Envoy: ${envoy.missing}`);

type Call = { readonly path?: string; readonly method?: 'GET' | 'POST'; readonly body?: string; readonly headers?: Record<string, string> };

describe.skipIf('missing' in envoy).each(['envoy', 'sdk'] as const)('hosts on demand (VHDS), of a gateway: %s', (side) => {
  const parts = new AsyncDisposableStack();
  const agent = new Agent();
  let server: DeltaServer;
  let port: number;
  let log: string;

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-on-demand-'));
    parts.defer(() => rmSync(folder, { recursive: true, force: true }));
    const back = createServer((received, response) =>
      received.resume().on('end', () => response.end(`${received.method} ${received.headers.host}`)),
    );
    const backPort = await listening(back);
    parts.defer(async () => {
      await agent.close();
      back.close();
    });
    port = await freePort();
    log = join(folder, 'log');
    writeFileSync(log, '');
    server = parts.use(await DeltaServer.start(onDemandConfig(port, backPort, log)));
    if (side === 'envoy') {
      const input = { role: 'router', name: 'edge', namespace: 'default', serviceAccount: 'edge', labels: {}, variant: 'delta' } as const;
      const config = bootstrap({ ...input, xdsPort: server.port, sdsPath: join(folder, 'sds') });
      parts.use(await EnvoyProcess.start(envoy.path, folder, config, ['--file-flush-interval-msec', '5']));
    } else {
      const mesh = createMesh({
        service: 'edge',
        namespace: 'default',
        role: 'router',
        admin: 'off',
        ports: 'auto',
        xds: `grpc://127.0.0.1:${server.port}`,
      });
      parts.defer(() => mesh.close({ drainMs: 0 }));
      const gateway = parts.use(createGateway({ mesh, ports: { [port]: port } }));
      await gateway.start();
    }
    await until('it serves what it has', async () => (await call('static.test', { path: '/known' })) === '200 GET static.test');
    // An Envoy asks for nothing by name at first, we for everything that is given unasked.
    if (side === 'sdk') await until('it has asked for hosts', () => server.asked.includes('+*'));
    server.asked.length = 0;
  });
  afterAll(() => parts.disposeAsync());

  async function call(host: string, { path = '/', method = 'GET', headers = {}, body }: Call = {}): Promise<string> {
    const { statusCode, body: answer } = await request(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { ...headers, host },
      body: body ?? null,
      dispatcher: agent,
    });
    return `${statusCode} ${await answer.text()}`;
  }

  /** What the access log has of the one call to a host. */
  function account(host: string): Promise<string> {
    const start = `${host} `;
    return until('a line in the access log', () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .slice(0, -1)
        .find((line) => line.startsWith(start))
        ?.slice(start.length),
    );
  }

  /** What was asked for since the last time. */
  function asked(): string {
    return server.asked.splice(0).join(' ');
  }

  it('waits for a host that it does not know, and asks once', async () => {
    serveHost(server, 'a.test', hostOf('a', ['a.test']));
    expect(await Promise.all([call('a.test'), call('a.test'), call('a.test')])).toEqual(Array(3).fill('200 GET a.test'));
    expect(await call('A.Test')).toBe('200 GET A.Test');
    expect(asked()).toBe('+table/a.test');
  });

  it('asks for host and port as they are said, in small letters', async () => {
    serveHost(server, 'b.test:81', hostOf('b', ['b.test:81']));
    expect(await call('B.test:81')).toBe('200 GET B.test:81');
    expect(asked()).toBe('+table/b.test:81');
  });

  it('takes a body along', async () => {
    serveHost(server, 'body.test', hostOf('body', ['body.test']));
    expect(await call('body.test', { method: 'POST', body: 'hello' })).toBe('200 POST body.test');
    asked();
  });

  it('answers 404 where the server knows no such host, and asks no more', async () => {
    server.absence = 'empty';
    expect(await call('absent.test')).toMatch(/^404/);
    expect(await account('absent.test')).toBe('404 NR route_not_found');
    expect(await call('absent.test')).toMatch(/^404/);
    expect(asked()).toBe('+table/absent.test');
    serveHost(server, 'absent.test', hostOf('late', ['absent.test']));
    await until('the host is there after all', async () => (await call('absent.test')) === '200 GET absent.test');
    expect(asked()).toBe('');
  });

  it('gives up when nobody answers for as long as a stream may be idle', async () => {
    server.absence = 'silent';
    expect(await call('silent.test')).toBe('504 stream timeout');
    expect(await account('silent.test')).toBe('504 SI stream_idle_timeout');
    expect(asked()).toBe('+table/silent.test');
    server.absence = 'empty';
  });

  it('asks for a host of its own that has no route for the path', async () => {
    expect(await call('static.test', { path: '/known' })).toBe('200 GET static.test');
    expect(asked()).toBe('');
    expect(await call('static.test')).toMatch(/^404/);
    expect(asked()).toBe('+table/static.test');
  });

  it('answers 404 where the host that comes has other domains', async () => {
    serveHost(server, 'other.test', hostOf('other', ['elsewhere.test']));
    expect(await call('other.test')).toMatch(/^404/);
    expect(await call('elsewhere.test')).toBe('200 GET elsewhere.test');
    expect(asked()).toBe('+table/other.test');
  });

  it('takes a wildcard for every host that it means', async () => {
    serveHost(server, 'one.wild.test', hostOf('wild', ['*.wild.test']));
    expect(await call('one.wild.test')).toBe('200 GET one.wild.test');
    expect(await call('two.wild.test')).toBe('200 GET two.wild.test');
    expect(asked()).toBe('+table/one.wild.test');
  });

  it('refuses a host with a domain that stands already, and keeps waiting for a better one', async () => {
    serveHost(server, 'twice.test', hostOf('twice', ['twice.test', 'static.test']));
    const waiting = call('twice.test');
    const [reason] = await until('the refusal', () => (server.refused.length > 0 ? server.refused : undefined));
    expect(reason).toContain('static.test');
    serveHost(server, 'twice.test', hostOf('twice', ['twice.test']));
    expect(await waiting).toBe('200 GET twice.test');
    asked();
  });

  it('applies the filters of a host to its requests', async () => {
    serveHost(server, 'strict.test', hostOf('strict', ['strict.test'], REFUSES_HERE));
    expect(await call('strict.test')).toBe('200 GET strict.test');
    expect(await call('strict.test', { headers: { 'x-refused-here': 'yes' } })).toMatch(/^403/);
    asked();
  });

  it('stops serving a host that is taken away, and asks no more', async () => {
    serveHost(server, 'gone.test', hostOf(`${TABLE}/gone.test`, ['gone.test']));
    expect(await call('gone.test')).toBe('200 GET gone.test');
    asked();
    withdrawHost(server, 'gone.test');
    await until('the host is gone', async () => (await call('gone.test')).startsWith('404'));
    expect(asked()).toBe('');
  });

  it('keeps what it has without the server, and asks again for all of it afterwards', async () => {
    server.lose();
    expect(await call('a.test')).toBe('200 GET a.test');
    serveHost(server, 'reborn.test', hostOf('reborn', ['reborn.test']));
    server.restore();
    await until('the stream is there again', () => server.asked.includes('stream'));
    expect(await call('reborn.test')).toBe('200 GET reborn.test');
    const names = asked();
    for (const name of ['+*', '+table/a.test', '+table/absent.test', '+table/silent.test', '+table/reborn.test'])
      expect(names).toContain(name);
    expect(names).toMatch(/held .*table\/a\.test/);
  });

  // Where we differ: docs/reference/differences.md.
  it('takes a removed host for one that does not exist, where an Envoy waits on', async () => {
    server.absence = 'removed';
    expect(await call('removed.test')).toMatch(side === 'envoy' ? /^504/ : /^404/);
  });

  it("judges the first request by the host's filters, too, where an Envoy lets it pass", async () => {
    serveHost(server, 'first.test', hostOf('first', ['first.test'], REFUSES_HERE));
    const first = await call('first.test', { headers: { 'x-refused-here': 'yes' } });
    expect(first).toMatch(side === 'envoy' ? /^200/ : /^403/);
  });

  it('asks before other filters speak, where an Envoy asks at the place of the filter', async () => {
    asked();
    expect(await call('refused.test', { headers: { 'x-refused': 'yes' } })).toMatch(/^403/);
    expect(asked()).toBe(side === 'envoy' ? '' : '+table/refused.test');
  });
});

function listening(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

/** Both sides read one listener, which names its port. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
