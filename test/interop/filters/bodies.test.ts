import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { createMesh, type Mesh } from '@ripstop/node';
import { CheckRequest, CheckResponse } from '@ripstop/xds-api';
import { type Dispatcher, request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Greeter, greeterService, type Hello } from '../../../packages/grpc/src/testing/greeter.ts';
import { clustersOf, listenerOf, type StaticConfig, socketAddress, staticSource, typed } from '../../simulation/xds/static-config.ts';
import { EnvoyProcess } from '../envoy/envoy-process.ts';
import { ScriptedGrpc } from './scripted-grpc.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: bodies for filters: no Envoy: ${envoy.missing}`);

const PORT = 50051;
const AUTHZ = 'envoy.filters.http.ext_authz';
const DENIED = CheckResponse.encode(CheckResponse.fromPartial({ status: { code: 7 } })).finish();

function shows(path: string, max_request_bytes: number, allow_partial_message: boolean, cluster: string): object {
  const check_settings = { with_request_body: { max_request_bytes, allow_partial_message } };
  return {
    match: { prefix: path },
    route: { cluster },
    typed_per_filter_config: { [AUTHZ]: typed('envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute', { check_settings }) },
  };
}

/** An authorizer that sees so much of bodies, by path, and what stands behind it. */
function configOf(authorizer: number, ports: { readonly calls: number; readonly requests: number }, own?: string): StaticConfig {
  return {
    filters: [
      {
        name: AUTHZ,
        typed_config: typed('envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', {
          grpc_service: { envoy_grpc: { cluster_name: 'authz' }, timeout: '2s' },
          with_request_body: { max_request_bytes: 1_000, allow_partial_message: false, pack_as_bytes: true },
        }),
      },
    ],
    clusters: {
      authz: { ports: [authorizer], http2: true },
      calls: { ports: [ports.calls], http2: true },
      requests: { ports: [ports.requests] },
    },
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          shows('/test.Greeter/Chat', 20, true, own ?? 'calls'),
          shows('/test.Greeter/Collect', 40, false, own ?? 'calls'),
          shows('/test.Greeter/', 1_000, false, own ?? 'calls'),
          shows('/part', 5, true, own ?? 'requests'),
          shows('/', 10, false, own ?? 'requests'),
        ],
      },
    ],
    manager: { use_remote_address: false },
  };
}

const handlers: grpc.UntypedServiceImplementation = {
  greet: ((call, callback) => callback(null, { text: `hello ${call.request.text}` })) satisfies grpc.handleUnaryCall<Hello, Hello>,
  collect: ((call, callback) => {
    const texts: string[] = [];
    call.on('data', ({ text: said }: Hello) => texts.push(said));
    call.on('end', () => callback(null, { text: texts.join() }));
  }) satisfies grpc.handleClientStreamingCall<Hello, Hello>,
  list: (() => {}) satisfies grpc.handleServerStreamingCall<Hello, Hello>,
  chat: ((call) => {
    call.on('data', (message: Hello) => call.write(message));
    call.on('end', () => call.end());
  }) satisfies grpc.handleBidiStreamingCall<Hello, Hello>,
};

function greeterServer(): grpc.Server {
  const server = new grpc.Server();
  server.addService(greeterService, handlers);
  return server;
}

/** What came of a call, and what the authorizer was shown of its body. */
async function told(authorizer: ScriptedGrpc, run: () => Promise<unknown>): Promise<unknown> {
  authorizer.asked = [];
  const outcome = await run();
  const shown = authorizer.asked.map((bytes) => {
    const { size, rawBody, body, headers, path } = CheckRequest.decode(bytes).attributes!.request!.http!;
    return { path, size, body, rawBody: Buffer.from(rawBody).toString('latin1'), partial: headers['x-envoy-auth-partial-body'] };
  });
  return { outcome, shown };
}

const answerOf = (run: (callback: grpc.requestCallback<Hello>) => void): Promise<unknown> =>
  new Promise((resolve) => run((error, value) => resolve(error === null ? value : `${error.code} ${error.details}`)));

const unary = (client: Greeter, said: string): Promise<unknown> =>
  client.greet(said).catch(({ code, details }: grpc.ServiceError) => `${code} ${details}`);

const CALLS: readonly (readonly [name: string, run: (client: Greeter) => Promise<unknown>])[] = [
  ['a unary call', (client) => unary(client, 'you')],
  [
    'a client stream',
    (client) =>
      answerOf((callback) => {
        const call = client.collect(callback);
        call.write({ text: 'a' });
        setTimeout(() => call.end({ text: 'b' }), 50);
      }),
  ],
  [
    'a client stream above the limit',
    (client) =>
      answerOf((callback) => {
        const call = client.collect(callback);
        call.on('error', () => {});
        for (const said of ['aaaa', 'bbbb', 'cccc']) call.write({ text: said });
      }),
  ],
  [
    'the start of a stream both ways',
    async (client) => {
      const chat = client.chat();
      const answers: string[] = [];
      chat.on('data', ({ text: said }: Hello) => answers.push(said));
      const ended = new Promise<string>((resolve) => {
        chat.on('error', (error: grpc.ServiceError) => resolve(`${error.code} ${error.details}`));
        chat.on('end', () => resolve('ended'));
      });
      chat.write({ text: 'one' });
      await delay(50);
      const early = answers.length;
      chat.write({ text: 'two' });
      await delay(100);
      const open = [...answers];
      chat.end({ text: 'three' });
      return { early, open, end: await ended, answers };
    },
  ],
];

const chunks = (...parts: readonly string[]): Readable =>
  Readable.from(
    (async function* () {
      for (const part of parts) {
        yield part;
        await delay(30);
      }
    })(),
  );

type Body = Dispatcher.DispatchOptions['body'];
const REQUESTS: readonly (readonly [name: string, path: string, body: () => Body])[] = [
  ['no body', '/', () => null],
  ['a text', '/', () => 'hello'],
  ['a text above the limit', '/', () => 'hello again, world'],
  ['a stream', '/', () => chunks('hel', 'lo')],
  ['a stream above the limit', '/', () => chunks('hello', 'again', '!')],
  ['a part of a text', '/part', () => 'hello again, world'],
  ['a part of a stream', '/part', () => chunks('hel', 'lo again', ', world')],
  ['a part that is all', '/part', () => 'hell'],
];

describe.skipIf('missing' in envoy)('an authorizer that is shown bodies: the SDK shows it what Envoy shows, of', () => {
  const parts = new AsyncDisposableStack();
  let authorizer: ScriptedGrpc;
  let envoyPort: number;
  let caller: Mesh;
  let servedPort: number;

  beforeAll(async () => {
    if ('missing' in envoy) return;
    authorizer = parts.use(await ScriptedGrpc.start('/envoy.service.auth.v3.Authorization/Check'));
    const behind = greeterServer();
    parts.defer(() => behind.forceShutdown());
    const calls = await new Promise<number>((resolve, reject) =>
      behind.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port))),
    );
    const echo = createServer(async (incoming, response) => response.end(`${incoming.headers['content-length']} ${await text(incoming)}`));
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    parts.defer(() => void echo.close());
    const ports = { calls, requests: (echo.address() as AddressInfo).port };
    const config = configOf(authorizer.port, ports);

    const folder = mkdtempSync(join(tmpdir(), 'ripstop-bodies-'));
    parts.defer(() => rmSync(folder, { recursive: true, force: true }));
    const process = parts.use(
      await EnvoyProcess.start(envoy.path, folder, {
        admin: { address: socketAddress(0) },
        node: { id: 'edge', cluster: 'edge.default' },
        static_resources: { listeners: [listenerOf(config, 0)], clusters: clustersOf(config) },
      }),
    );
    envoyPort = await process.listenerPort('edge');

    caller = meshOf(config, '0.0.0.0_80');
    const served = meshOf(configOf(authorizer.port, ports, `inbound|${PORT}||`), 'virtualInbound');
    for (const mesh of [caller, served]) parts.defer(() => mesh.close({ drainMs: 0 }));
    await caller.ready();
    servedPort = (await served.grpc.listen(greeterServer(), PORT)).port;
  });
  afterAll(() => parts.disposeAsync());

  const clientOf = (target: string, mesh?: Mesh): Greeter => {
    const client =
      mesh === undefined
        ? new Greeter(target, grpc.credentials.createInsecure())
        : new Greeter(target, mesh.grpc.credentials(), mesh.grpc.options);
    parts.defer(() => client.close());
    return client;
  };

  it('gRPC, above the limit in one frame: Envoy shows a part and lets it pass, we refuse it however it comes', async () => {
    authorizer.answer = new Uint8Array();
    const long = 'x'.repeat(2_000);
    expect(await told(authorizer, () => unary(clientOf(`127.0.0.1:${envoyPort}`), long))).toMatchObject({
      outcome: { text: `hello ${long}` },
      shown: [{ partial: 'true', size: 2_016 }],
    });
    for (const client of [clientOf('echo:80', caller), clientOf(`127.0.0.1:${servedPort}`)])
      expect(await told(authorizer, () => unary(client, long))).toEqual({ outcome: '2 Payload Too Large', shown: [] });
  });

  for (const verdict of ['lets pass', 'denies'] as const) {
    it.each(CALLS)(`gRPC, and ${verdict}: %s`, async (_name, run) => {
      authorizer.answer = verdict === 'denies' ? DENIED : new Uint8Array();
      const byEnvoy = await told(authorizer, () => run(clientOf(`127.0.0.1:${envoyPort}`)));
      expect(await told(authorizer, () => run(clientOf('echo:80', caller))), 'the client').toEqual(byEnvoy);
      expect(await told(authorizer, () => run(clientOf(`127.0.0.1:${servedPort}`))), 'the server').toEqual(byEnvoy);
    });

    it.each(REQUESTS)(`HTTP, and ${verdict}: %s`, async (_name, path, body) => {
      authorizer.answer = verdict === 'denies' ? DENIED : new Uint8Array();
      const run = (url: string, dispatcher?: Dispatcher) => async () => {
        const reply = await request(`${url}${path}`, { method: 'POST', body: body(), ...(dispatcher && { dispatcher }) });
        return [reply.statusCode, await reply.body.text()];
      };
      const byEnvoy = await told(authorizer, run(`http://127.0.0.1:${envoyPort}`));
      expect(await told(authorizer, run('http://echo', caller.dispatcher))).toEqual(byEnvoy);
    });
  }
});

function meshOf(config: StaticConfig, listener: string): Mesh {
  return createMesh(
    { service: 'echo', namespace: 'default', admin: 'off', ports: 'auto' },
    { clock: realClock, random: Math.random, resolveDns: async () => [], configSource: () => staticSource(config, 80, listener) },
  );
}

const realClock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (run: () => void, delayMs: number) => {
    const timer = setTimeout(run, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
