import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  createSecureServer as createSecureHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { MeshApp } from '@ripstop/node';
import { createSelfSignedRoot, privateKeyPem } from '@ripstop/pki';
import fastify, { type FastifyServerOptions } from 'fastify';
import type { ClientTls } from '../../../packages/server/src/testing/raw-client.ts';

type Handler = (request: IncomingMessage, response: ServerResponse & { send(body: string): void }) => void;
type ExpressApp = RequestListener & { all(path: string, run: Handler): void; use(run: Handler): void };

const load = createRequire(import.meta.url);

/** What an app saw of a request. */
export interface Seen {
  readonly path: string;
  readonly host: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
}

export const FRAMEWORKS = [
  'node:http',
  'node:https',
  'Express 4',
  'Express 5',
  'Fastify 5',
  'Fastify 5 lenient',
  'http2',
  'http2 streams',
  'http2 TLS',
  'http2 TLS streams',
  'http2 TLS and HTTP/1',
  'Fastify 5 http2 TLS',
] as const;
export type Framework = (typeof FRAMEWORKS)[number];

/** TLS that an app does by itself, for callers outside of the mesh, and the protocols that these may speak over it. */
const OWN_TLS: Partial<Readonly<Record<Framework, readonly Protocol[]>>> = {
  'node:https': ['HTTP/1.1'],
  'http2 TLS': ['HTTP/2'],
  'http2 TLS streams': ['HTTP/2'],
  'http2 TLS and HTTP/1': ['HTTP/1.1', 'HTTP/2'],
  'Fastify 5 http2 TLS': ['HTTP/1.1', 'HTTP/2'],
};
const OVER_MESH: Partial<Readonly<Record<Framework, readonly Protocol[]>>> = {
  http2: ['HTTP/2'],
  'http2 streams': ['HTTP/2'],
  'http2 TLS': ['HTTP/2'],
  'http2 TLS streams': ['HTTP/2'],
};
const ALPN: Readonly<Record<Protocol, string>> = { 'HTTP/1.1': 'http/1.1', 'HTTP/2': 'h2' };

export type Protocol = 'HTTP/1.1' | 'HTTP/2';
export type Transport = 'plaintext' | 'mTLS';

/** Whether an app can be asked so. Callers that are not of the mesh (`plaintext`) come by the app's own TLS where it has one. */
export function speaks(framework: Framework, protocol: Protocol, transport: Transport): boolean {
  const protocols = (transport === 'plaintext' ? OWN_TLS[framework] : undefined) ?? OVER_MESH[framework];
  return protocols === undefined || protocols.includes(protocol);
}

/** How a caller that is not of the mesh comes. */
export function outside(framework: Framework, protocol: Protocol): ClientTls | undefined {
  return OWN_TLS[framework] === undefined ? undefined : { ALPNProtocols: [ALPN[protocol]] };
}

/** An app that tells of everything that reaches it, by whichever event. Its route is `/admin`. */
export async function createApp(framework: Framework, reached: (seen: Seen) => void): Promise<MeshApp> {
  const note = (request: IncomingMessage): void => {
    const { headers } = request;
    reached({ path: request.url ?? '', host: headers.host ?? (headers[':authority'] as string | undefined), headers });
  };
  const onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    reached({ path: headers[':path'] ?? '', host: headers[':authority'], headers });
    stream.respond({ ':status': 200 });
    stream.end('ok');
  };
  switch (framework) {
    case 'Fastify 5':
      return createFastify(note, {});
    case 'Fastify 5 lenient':
      return createFastify(note, LENIENT);
    case 'http2':
      return createHttp2Server((request, response) => {
        note(request as unknown as IncomingMessage);
        response.end('ok');
      });
    case 'http2 streams':
      return createHttp2Server().on('stream', onStream);
    case 'http2 TLS':
    case 'http2 TLS and HTTP/1':
      return createSecureHttp2Server(
        { ...ownCertificate(), allowHTTP1: framework === 'http2 TLS and HTTP/1' },
        (request: Http2ServerRequest, response: Http2ServerResponse) => {
          note(request as unknown as IncomingMessage);
          response.end('ok');
        },
      );
    case 'http2 TLS streams':
      return createSecureHttp2Server(ownCertificate()).on('stream', onStream);
    case 'Fastify 5 http2 TLS':
      return createFastify(note, {}, { http2: true, https: { ...ownCertificate(), allowHTTP1: true } });
    default: {
      const isPlain = framework === 'node:http' || framework === 'node:https';
      const app = isPlain ? plainHandler(note) : createExpress(framework === 'Express 4' ? 'express4' : 'express', note);
      const server = framework === 'node:https' ? createHttpsServer(ownCertificate(), app) : createServer(app);
      server.on('upgrade', (request, socket) => answerUpgrade(note, request, socket as Socket));
      server.on('connect', (request, socket) => answerUpgrade(note, request, socket as Socket));
      return server;
    }
  }
}

/** Of the app, for callers outside of the mesh. */
function ownCertificate(): { cert: string; key: string } {
  const now = Date.now();
  const { certificatePem, keyPair } = createSelfSignedRoot({
    organization: 'shop',
    notBeforeMs: now - 60_000,
    notAfterMs: now + 3_600_000,
  });
  return { cert: certificatePem, key: privateKeyPem(keyPair.privateKey) };
}

/** A router that takes the most for the same path. */
const LENIENT = { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true };

function plainHandler(note: (request: IncomingMessage) => void): RequestListener {
  return (request, response) => {
    note(request);
    response.end('ok');
  };
}

function createExpress(name: string, note: (request: IncomingMessage) => void): RequestListener {
  const app = (load(name) as () => ExpressApp)();
  app.all('/admin', (request, response) => {
    note(request);
    response.send('admin');
  });
  app.use((request, response) => {
    note(request);
    response.send('ok');
  });
  return app;
}

async function createFastify(
  note: (request: IncomingMessage) => void,
  routerOptions: FastifyServerOptions['routerOptions'],
  server: object = {},
): Promise<MeshApp> {
  const app = fastify({
    ...server,
    routerOptions: routerOptions ?? {},
    // It cannot decode `/admin%` and would answer by itself.
    frameworkErrors: (_error, request, reply) => {
      note(request.raw);
      reply.hijack();
      reply.raw.end('ok');
    },
  });
  app.addContentTypeParser('*', (_request, _body, done) => done(null));
  app.all('/admin', async (request) => {
    note(request.raw);
    return 'admin';
  });
  app.setNotFoundHandler(async (request, reply) => {
    note(request.raw);
    return reply.code(200).send('ok');
  });
  app.server.on('upgrade', (request, socket) => answerUpgrade(note, request, socket as Socket));
  return app;
}

function answerUpgrade(note: (request: IncomingMessage) => void, request: IncomingMessage, socket: Socket): void {
  note(request);
  socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
}
