import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SeenRequest } from '../observation.ts';
import type { Answer } from '../row.ts';

/** Where upstreams stand. */
export interface UpstreamHost {
  /** Makes a server reachable at 127.0.0.1; answers the port. */
  listen(server: Server): Promise<number>;
  sleep(ms: number): Promise<void>;
}

const loopback: UpstreamHost = {
  listen: (server) =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    }),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/**
 * The workloads of a test mesh: HTTP servers that write down what they see and answer 200 with their own name, or what the test asks
 * for. Answers are given out in the order of the requests, whichever workload they reach; the last one is repeated.
 */
export class Upstreams implements AsyncDisposable {
  private readonly servers = new Map<string, Server>();
  private script: readonly Answer[] = [];
  private seen: SeenRequest[] = [];

  private readonly ports = new Map<string, number>();
  private readonly host: UpstreamHost;

  static async start(names: readonly string[], host: UpstreamHost = loopback): Promise<Upstreams> {
    const upstreams = new Upstreams(host);
    for (const name of names) await upstreams.add(name);
    return upstreams;
  }

  private constructor(host: UpstreamHost) {
    this.host = host;
  }

  port(name: string): number {
    const port = this.ports.get(name);
    if (port === undefined) throw new Error(`no upstream is called ${name}`);
    return port;
  }

  /** The app of a workload, for a listener of somebody else's. */
  app(name: string): Server {
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.answer(name, request, response).catch((error: Error) => response.destroy(error));
    });
    // Any upgrade is taken; what comes after it is sent back.
    server.on('upgrade', (request, socket, head) => {
      this.seen.push(seenRequest(name, request, ''));
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n');
      socket.write(head);
      socket.pipe(socket);
      socket.on('error', () => socket.destroy());
    });
    return server;
  }

  /** From now on answers as the script says, and forgets what was seen. */
  play(script: readonly Answer[] = []): void {
    this.script = script;
    this.seen = [];
  }

  /** Requests seen since `play`, in order. */
  get requests(): readonly SeenRequest[] {
    return this.seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers.values()) {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    }
  }

  private async add(name: string): Promise<void> {
    const server = this.app(name);
    this.ports.set(name, await this.host.listen(server));
    this.servers.set(name, server);
  }

  private async answer(workload: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { script, seen } = this;
    const answer = script[Math.min(seen.length, script.length - 1)] ?? {};
    const at = seen.length;
    seen.push(seenRequest(workload, request, ''));
    let body = '';
    for await (const chunk of request) body += chunk;
    seen[at] = seenRequest(workload, request, body);
    if (answer.afterMs !== undefined) await this.host.sleep(answer.afterMs);
    if (response.destroyed) return;
    if (answer.hangUp === true) {
      request.socket.destroy();
      return;
    }
    const text = answer.bytes === undefined ? Buffer.from(answer.body ?? `${workload}\n`) : Buffer.from(answer.bytes, 'latin1');
    response.writeHead(answer.status ?? 200, {
      'content-type': 'text/plain',
      ...(answer.status === 204 && text.length > 0 ? {} : { 'content-length': text.length }), // a 204 has none
      ...answer.headers,
    });
    response.end(text);
  }
}

function seenRequest(workload: string, { method = '', url = '', rawHeaders }: IncomingMessage, body: string): SeenRequest {
  const headers: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) headers.push([rawHeaders[at]!.toLowerCase(), rawHeaders[at + 1]!]);
  return { workload, method, path: url, headers, body };
}
