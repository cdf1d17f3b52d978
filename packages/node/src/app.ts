import { createServer, type RequestListener, Server } from 'node:http';
import type { Http2Server } from 'node:http2';
import { Server as HttpsServer } from 'node:https';
import { Server as NetServer } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { AppServer } from '@ripstop/server';
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
    throw new MeshError(
      'RIPSTOP_UNSUPPORTED_APP',
      "this Fastify instance has an HTTP/2 server with TLS of its own; TLS is the mesh's: leave http2 or https out",
    );
  }
  if (app instanceof TlsServer)
    throw new MeshError(
      'RIPSTOP_UNSUPPORTED_APP',
      "this HTTP/2 server has TLS of its own; TLS is the mesh's: give createServer() of node:http2, not createSecureServer()",
    );
  throw new MeshError(
    'RIPSTOP_UNSUPPORTED_APP',
    'mesh.listen takes a server of node:http, node:https or node:http2, a request handler, an Express app or a Fastify instance',
  );
}

/** Whether callers may speak HTTP/1.1 to it by themselves. */
export function readsHttp1(server: AppServer): server is Server | HttpsServer {
  return server instanceof Server || server instanceof HttpsServer;
}

/** node:http2 does not export the class of its servers. */
export function isAppServer(candidate: unknown): candidate is AppServer {
  if (readsHttp1(candidate as AppServer)) return true;
  return (
    candidate instanceof NetServer && !(candidate instanceof TlsServer) && typeof (candidate as Http2Server).updateSettings === 'function'
  );
}
