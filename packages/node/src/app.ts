import { createServer, type RequestListener, Server } from 'node:http';
import { MeshError } from './errors.ts';

/** The part of a Fastify instance that the mesh needs. */
export interface FastifyLike {
  readonly server: unknown;
  ready(): PromiseLike<unknown>;
}

/** Anything that answers HTTP: a node:http server, an Express app or plain handler, a Fastify instance. */
export type MeshApp = Server | RequestListener | FastifyLike;

/** The node:http server of an app, made for handlers and Express apps. A Fastify instance is made ready first. */
export async function serverOf(app: MeshApp): Promise<Server> {
  if (app instanceof Server) return app;
  if (typeof app === 'function') return createServer(app);
  if (typeof app === 'object' && app !== null && 'server' in app && typeof app.ready === 'function') {
    await app.ready();
    if (app.server instanceof Server) return app.server;
    throw new MeshError(
      'RIPSTOP_UNSUPPORTED_APP',
      "this Fastify instance has no node:http server (https and http2 options are the mesh's business: leave them out)",
    );
  }
  throw new MeshError(
    'RIPSTOP_UNSUPPORTED_APP',
    'mesh.listen takes a node:http server, a request handler, an Express app or a Fastify instance',
  );
}
