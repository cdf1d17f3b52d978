import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ServiceGraph } from '../graph/service-graph.ts';
import { LIVE_PAGE, LIVE_PAGE_CSP } from '../http/page/live-page.ts';
import type { ControlPlane } from './control-plane.ts';
import { DebugError, debugAnswer } from './debug-endpoints.ts';
import { type Explainer, explainQuestion } from './explain-endpoint.ts';

/** What the HTTP port shows; nothing here changes anything. */
export class HttpServer {
  private readonly plane: ControlPlane;
  private readonly explain: Explainer | undefined;
  private readonly server: Server;

  constructor(plane: ControlPlane, explain?: Explainer) {
    this.plane = plane;
    this.explain = explain;
    this.server = createServer((request, response) => this.handle(request, response));
  }

  async listen(address: string): Promise<string> {
    const at = address.lastIndexOf(':');
    const host = address.slice(0, at).replace(/^\[|\]$/g, '');
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (cause) =>
        reject(new Error(`cannot listen on ${address}: is the port taken? Name another one`, { cause })),
      );
      this.server.listen(Number(address.slice(at + 1)), host, resolve);
    });
    const bound = this.server.address();
    return `${address.slice(0, at)}:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.parse(request.url ?? '/', 'http://control-plane');
    // A page of another site may not read the mesh through the user's browser: names that resolve here are not enough.
    if (!isLocalHost(request.headers.host ?? '')) {
      reply(response, 403, 'text/plain', 'this address is not served under that host name\n');
      return;
    }
    // What the mesh is made of is for those on this machine; others reach it as through a port-forward. Probes and scrapes are for all.
    if (url !== null && !PUBLIC.has(url.pathname) && !isLoopback(request.socket.remoteAddress ?? '')) {
      reply(
        response,
        403,
        'text/plain',
        'only /metrics and /ready are served to other machines: ask from this one (kubectl port-forward)\n',
      );
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      reply(response, 405, 'text/plain', 'only GET\n');
      return;
    }
    const body = url === null ? undefined : this.body(url);
    if (body !== undefined) reply(response, body.status ?? 200, body.type, body.text);
    else if (url?.pathname === '/api/explain') void this.explained(url.searchParams, response);
    else if (url !== null) void this.debug(url, response);
    else notFound(response);
  }

  private async debug({ pathname, searchParams }: URL, response: ServerResponse): Promise<void> {
    try {
      const answer = await debugAnswer(pathname, searchParams, this.plane.debugState());
      if (answer === undefined) notFound(response);
      else reply(response, 200, 'application/json', JSON.stringify(answer));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      reply(response, error instanceof DebugError ? 400 : 500, 'text/plain', `${text}\n`);
    }
  }

  private async explained(parameters: URLSearchParams, response: ServerResponse): Promise<void> {
    const question = explainQuestion(parameters);
    if (this.explain === undefined) reply(response, 404, 'text/plain', 'nobody explains here: `ripstop dev` and `ripstop serve` do\n');
    else if (typeof question === 'string') reply(response, 400, 'text/plain', `${question}\n`);
    else
      try {
        reply(response, 200, 'application/json', JSON.stringify(await this.explain(question)));
      } catch (error) {
        reply(response, 400, 'text/plain', `${error instanceof Error ? error.message : String(error)}\n`);
      }
  }

  private body(url: URL): Body | undefined {
    switch (url.pathname) {
      case '/':
        return { type: 'text/html; charset=utf-8', text: LIVE_PAGE };
      case '/ready':
        return this.plane.ready ? { type: 'text/plain', text: 'ready\n' } : { status: 503, type: 'text/plain', text: 'closing\n' };
      case '/metrics':
        return { type: 'text/plain; version=0.0.4', text: this.plane.metricsText() };
      case '/debug/syncz':
        return json(this.plane.syncState());
      case '/api/state':
        return json({ ...this.plane.liveState(), explains: this.explain !== undefined });
      case '/api/findings':
        return json(this.plane.liveFindings());
      case '/api/graph':
        return json(this.graph(url.searchParams.get('seconds')));
      default:
        return undefined;
    }
  }

  private graph(seconds: string | null): ServiceGraph {
    const wanted = Number(seconds ?? 60);
    return this.plane.graph.graph(Number.isFinite(wanted) && wanted > 0 ? Math.min(wanted, 900) : 60, Date.now());
  }
}

interface Body {
  readonly status?: number;
  readonly type: string;
  readonly text: string;
}

const PUBLIC: ReadonlySet<string> = new Set(['/metrics', '/ready']);

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

/** Guards against DNS rebinding: loopback names, IP addresses and `*.localhost` only. */
function isLocalHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || /^[\d.]+$/.test(name) || /^\[[\da-f:.]+\]$/.test(name);
}

function json(value: unknown): Body {
  return { type: 'application/json', text: JSON.stringify(value) };
}

function notFound(response: ServerResponse): void {
  reply(response, 404, 'text/plain', 'not found; the page is at /, /debug/list names the rest\n');
}

function reply(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': LIVE_PAGE_CSP,
  });
  response.end(text);
}
