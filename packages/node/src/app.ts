import { createServer, type RequestListener } from 'node:http';
import { type AppServer, isAppServer } from '@ripstop/server';
import { MeshError } from './errors.ts';

/** The part of a Fastify instance that the mesh needs. */
export interface FastifyLike {
  readonly server: unknown;
  ready(): PromiseLike<unknown>;
}

/** Anything that answers HTTP: a server of node:http, node:https or node:http2, an Express app or plain handler, a Fastify instance. */
export type MeshApp = AppServer | RequestListener | FastifyLike;

/** The server of an app, made for handlers and Express apps. A Fastify instance is made ready first. */
export async function serverOf(app: MeshApp): Promise<AppServer> {
  if (isAppServer(app)) return app;
  if (typeof app === 'function') return createServer(app);
  if (typeof app === 'object' && app !== null && 'server' in app && typeof app.ready === 'function') {
    await app.ready();
    if (isAppServer(app.server)) return app.server;
  }
  throw new MeshError(
    'RIPSTOP_UNSUPPORTED_APP',
    'mesh.listen takes a server of node:http, node:https or node:http2, a request handler, an Express app or a Fastify instance',
  );
}
