import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttp2, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { SeenRequest } from '../../../simulation/observation.ts';
import type { Answer } from '../../../simulation/row.ts';
import { PROBE_HEADER } from '../listener.ts';
import { AUTHZ } from './clusters.ts';
import type { AppKind } from './scenario.ts';

/** What the two kinds of server hand to their listeners. */
interface Request extends AsyncIterable<Buffer> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly socket: { destroy(): unknown };
}
interface Response {
  readonly destroyed?: boolean;
  writeHead(status: number, headers: Record<string, string | string[] | number>): unknown;
  end(body?: string): unknown;
}

/** The app, of both kinds, and the authorizer that a configuration may ask: they write down what they see by the probe's header. */
export class Apps implements AsyncDisposable {
  private readonly seenBy = new Map<string, SeenRequest[]>();
  private readonly answers = new Map<string, Answer>();
  private readonly sockets = new Set<Socket>();
  private readonly servers: (Server | Http2Server)[] = [];
  private atOnce = 0;
  /** Requests that the app had in hand together. */
  mostAtOnce = 0;

  /** A server that nobody has bound. */
  app(kind: AppKind): Server | Http2Server {
    if (kind === 'http1') {
      return createHttp(
        { keepAliveTimeout: 60_000 },
        (request, response) => void this.serve(request, response as Response).catch(fail(response)),
      );
    }
    const server = createHttp2(
      (request, response) => void this.serve(request as Request, response as unknown as Response).catch(fail(response)),
    );
    server.on('session', (session: ServerHttp2Session) => session.on('error', () => session.destroy()));
    return server;
  }

  authorizer(): Server {
    return createHttp({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.authorize(request, response as Response).catch(fail(response));
    });
  }

  /** Binds a server to a port of 127.0.0.1. */
  async listen(server: Server | Http2Server): Promise<number> {
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  play(probe: string, answer: Answer): void {
    this.answers.set(probe, answer);
  }

  seen(probe: string): readonly SeenRequest[] {
    return this.seenBy.get(probe) ?? [];
  }

  forget(): void {
    this.answers.clear();
    this.seenBy.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  private async serve(request: Request, response: Response): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    await this.answer(request, response).finally(() => {
      this.atOnce--;
    });
  }

  private async answer(request: Request, response: Response): Promise<void> {
    const probe = await this.record('app', request);
    const { status = 200, body = 'app\n', headers, afterMs } = this.answers.get(probe) ?? {};
    if (afterMs !== undefined) await new Promise((resolve) => setTimeout(resolve, afterMs));
    if (response.destroyed) return;
    const length: Record<string, number> = status === 204 || status === 304 ? {} : { 'content-length': Buffer.byteLength(body) };
    response.writeHead(status, { 'content-type': 'text/plain', ...length, ...headers });
    response.end(status === 204 || status === 304 ? undefined : body);
  }

  private async authorize(request: Request, response: Response): Promise<void> {
    const probe = await this.record(AUTHZ, request);
    const verdict = lineOf(this.seenBy.get(probe)?.at(-1)?.headers ?? [], 'x-authz');
    const answer = (status: number, headers: Record<string, string>, body?: string): void => {
      response.writeHead(status, headers);
      response.end(body);
    };
    if (verdict === 'hang up') request.socket.destroy();
    else if (verdict === 'deny') answer(401, { 'x-denied': 'because', 'content-type': 'text/html' }, 'go away');
    else if (verdict === 'fail') answer(500, {});
    else answer(200, { 'x-granted': 'v', 'x-a': 'of authz', 'x-b': 'appended' });
  }

  private async record(workload: string, request: Request): Promise<string> {
    const headers: [string, string][] = [];
    const { rawHeaders, method = '', url = '' } = request;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at]!.toLowerCase();
      // The two protocols say it each in its own way.
      if (name === ':authority') headers.push(['host', rawHeaders[at + 1]!]);
      else if (!name.startsWith(':')) headers.push([name, rawHeaders[at + 1]!]);
    }
    const probe = lineOf(headers, PROBE_HEADER) ?? '';
    const seen = this.seenBy.get(probe) ?? [];
    this.seenBy.set(probe, seen);
    const at = seen.length;
    seen.push({ workload, method, path: url, headers, body: '' });
    let body = '';
    for await (const chunk of request) body += chunk;
    seen[at] = { workload, method, path: url, headers, body };
    return probe;
  }
}

function lineOf(headers: readonly (readonly [string, string])[], name: string): string | undefined {
  return headers.find(([each]) => each === name)?.[1];
}

function fail(response: { destroy?(error: Error): unknown }): (error: Error) => void {
  return (error) => void response.destroy?.(error);
}
