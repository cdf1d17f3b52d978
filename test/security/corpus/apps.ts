import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { MeshApp } from '@ripstop/node';
import { createSelfSignedRoot, privateKeyPem } from '@ripstop/pki';
import fastify, { type FastifyServerOptions } from 'fastify';

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
] as const;
export type Framework = (typeof FRAMEWORKS)[number];

/** An app that tells of everything that reaches it, by whichever event. Its route is `/admin`. */
export async function createApp(framework: Framework, reached: (seen: Seen) => void): Promise<MeshApp> {
  const note = (request: IncomingMessage): void => {
    const { headers } = request;
    reached({ path: request.url ?? '', host: headers.host ?? (headers[':authority'] as string | undefined), headers });
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
      return createHttp2Server().on('stream', (stream, headers) => {
        reached({ path: headers[':path'] ?? '', host: headers[':authority'], headers });
        stream.respond({ ':status': 200 });
        stream.end('ok');
      });
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
): Promise<MeshApp> {
  const app = fastify({
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
