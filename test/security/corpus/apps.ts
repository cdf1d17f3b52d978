import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { MeshApp } from '@ripstop/node';
import fastify from 'fastify';

type Handler = (request: IncomingMessage, response: ServerResponse & { send(body: string): void }) => void;

/** As much of Express as is used here; its types belong to @ripstop/express. */
const express = createRequire(import.meta.url)('express') as () => RequestListener & {
  all(path: string, run: Handler): void;
  use(run: Handler): void;
};

/** What an app saw of a request. */
export interface Seen {
  readonly path: string;
  readonly host: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
}

export type Framework = 'node:http' | 'Express 5' | 'Fastify 5';

/** An app that tells of everything that reaches it, by whichever event. */
export async function createApp(framework: Framework, reached: (seen: Seen) => void): Promise<MeshApp> {
  const note = (request: IncomingMessage): void =>
    reached({ path: request.url ?? '', host: request.headers.host, headers: request.headers });
  const onUpgrade = (request: IncomingMessage, socket: Socket): void => {
    note(request);
    socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  };
  if (framework === 'Fastify 5') {
    const app = fastify({
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
    app.server.on('upgrade', onUpgrade);
    return app;
  }
  const app = express();
  app.all('/admin', (request, response) => {
    note(request);
    response.send('admin');
  });
  app.use((request, response) => {
    note(request);
    response.send('ok');
  });
  const server = createServer(
    framework === 'Express 5'
      ? app
      : (request, response) => {
          note(request);
          response.end('ok');
        },
  );
  server.on('upgrade', onUpgrade);
  server.on('connect', onUpgrade);
  return server;
}
