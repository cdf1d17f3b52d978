import { Server } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import { Server as HttpsServer } from 'node:https';
import { Server as NetServer } from 'node:net';
import { Server as TlsServer } from 'node:tls';

/** A server that goes on to speak its own TLS with callers outside of the mesh. */
export type SecureAppServer = HttpsServer | Http2SecureServer;
/** What a workload port can be served by. */
export type AppServer = Server | Http2Server | SecureAppServer;
/** A server whose HTTP/1 requests node:http reads. */
export type Http1AppServer = Server | SecureAppServer;

/** Whether it is a server of node:http, node:https or node:http2. */
export function isAppServer(candidate: unknown): candidate is AppServer {
  return candidate instanceof Server || candidate instanceof HttpsServer || speaksHttp2(candidate);
}

export function hasOwnTls(app: AppServer): app is SecureAppServer {
  return app instanceof TlsServer;
}

/** Of node:http2, which does not export the classes of its servers. */
export function speaksHttp2(candidate: unknown): candidate is Http2Server | Http2SecureServer {
  return candidate instanceof NetServer && typeof (candidate as Http2Server).updateSettings === 'function';
}

/** Whether callers may speak HTTP/1.1 to it: of secure servers of node:http2 to those with `allowHTTP1`, which have node:http's limits. */
export function readsHttp1(app: AppServer): app is Http1AppServer {
  return !speaksHttp2(app) || (hasOwnTls(app) && 'headersTimeout' in app);
}
