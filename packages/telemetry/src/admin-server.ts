import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Telemetry } from './telemetry.ts';

/** An extra page of the admin server: answers a JSON-able value. */
export type AdminRoute = (url: URL) => unknown;

export interface AdminServerOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly telemetry: Telemetry;
  ready(): boolean;
  readonly routes?: Readonly<Record<string, AdminRoute>>;
  readonly log?: (line: string) => void;
}

export interface AdminServer {
  /** `host:port`; '' when the port was taken and the server is off. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves `/stats/prometheus`, `/ready` and `/healthz/ready`. A taken port is no reason for an app not to start: the server stays off
 * and says so. Its sockets never keep the process alive.
 */
export async function createAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = createServer((request, response) => answer(options, request, response));
  server.unref();
  server.on('connection', (socket) => socket.unref());
  const address = await listen(server, options);
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { address: { host, port }, log }: AdminServerOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') {
        reject(error);
        return;
      }
      const text = `metrics are off: ${host}:${port} is taken; set RIPSTOP_ADMIN to a free address, or to off`;
      if (log === undefined) process.emitWarning(text, { code: 'RIPSTOP_ADMIN_PORT_TAKEN' });
      else log(text);
      resolve('');
    });
    server.listen(port, host, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? `${host}:${bound.port}` : '');
    });
  });
}

function answer(options: AdminServerOptions, request: IncomingMessage, response: ServerResponse): void {
  const url = URL.parse(request.url ?? '/', 'http://admin');
  if (url === null) {
    send(response, 400, 'text/plain', 'the request target is no URL\n');
    return;
  }
  if (url.pathname === '/stats/prometheus' || url.pathname === '/metrics') {
    send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', options.telemetry.renderPrometheus());
    return;
  }
  if (url.pathname === '/ready' || url.pathname === '/healthz/ready') {
    const ready = options.ready();
    send(response, ready ? 200 : 503, 'text/plain', ready ? 'LIVE\n' : 'PRE_INITIALIZING\n');
    return;
  }
  const route = options.routes?.[url.pathname];
  if (route === undefined) {
    const others = Object.keys(options.routes ?? {});
    send(response, 404, 'text/plain', `not found; there are ${['/stats/prometheus', '/ready', ...others].join(', ')}\n`);
  } else {
    send(response, 200, 'application/json', `${JSON.stringify(route(url), undefined, 2)}\n`);
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
