import { createServer as createHttp, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { constants, type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { SeenRequest } from '../../simulation/observation.ts';
import type { Answer } from '../../simulation/row.ts';

/** Header that names a request, on all its attempts and copies. */
export const PROBE_HEADER = 'x-probe';

/** The first bytes of HTTP/2. */
const PREFACE = 'PRI * HTTP/2';
const TLS_HANDSHAKE = 0x16;
/** What a sidecar takes on its one port. */
const ALPN = ['istio-http/1.1', 'istio-http/1.0', 'istio', 'istio-peer-exchange', 'http/1.1', 'istio-h2', 'h2'];

interface Connection {
  readonly workload: string;
  /** `plaintext`, or who called and by which name. */
  readonly security: string;
}

/**
 * The machines of drawn meshes: each address and port takes what comes (HTTP/1.1 or HTTP/2, in plaintext or TLS), writes down what it
 * sees by the request's {@link PROBE_HEADER}, and answers 200 with its own address, or what that request's script says.
 */
export class Echo implements AsyncDisposable {
  private readonly servers = new Map<string, Server | undefined>();
  private readonly sockets = new Set<Socket>();
  private readonly connections = new WeakMap<object, Connection>();
  private readonly scripts = new Map<string, readonly Answer[]>();
  private readonly seenBy = new Map<string, SeenRequest[]>();
  /** An address whose apps take no TLS. */
  plaintext = '';
  private readonly http: HttpServer;
  private readonly contextOf: (address: string) => SecureContext;

  /** `contextOf`: whose certificate an address shows. */
  constructor(contextOf: (address: string) => SecureContext) {
    this.contextOf = contextOf;
    this.http = createHttp({ keepAliveTimeout: 120_000 }, (request, response) => {
      this.answerHttp1(request, response).catch((error: Error) => response.destroy(error));
    });
  }

  /** Opens a port once; false when it cannot be opened (low ports of who may not): nobody answers there then. */
  async listen(address: string, port: number): Promise<boolean> {
    const key = `${address}:${port}`;
    if (this.servers.has(key)) return this.servers.get(key) !== undefined;
    const server = createServer({ noDelay: true }, (socket) => this.accept(socket, key, address));
    this.servers.set(key, server);
    const open = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, address, () => resolve(true));
    });
    if (!open) this.servers.set(key, undefined);
    return open;
  }

  /** How the requests of a probe are answered, in order; the last answer is repeated. */
  play(probe: string, answers: readonly Answer[]): void {
    if (answers.length > 0) this.scripts.set(probe, answers);
  }

  seen(probe: string): readonly SeenRequest[] {
    return this.seenBy.get(probe) ?? [];
  }

  /** The app itself, to be served by somebody else's listener as this workload. */
  app(workload: string): HttpServer {
    return createHttp((request, response) => {
      this.answerHttp1(request, response, { workload, security: 'plaintext' }).catch((error: Error) => response.destroy(error));
    });
  }

  forget(): void {
    this.scripts.clear();
    this.seenBy.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(
      [...this.servers.values()].map((server) => new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)))),
    );
  }

  private accept(socket: Socket, workload: string, address: string): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    firstBytes(socket, (bytes) => {
      if (bytes[0] !== TLS_HANDSHAKE || address === this.plaintext) return this.serve(socket, bytes, { workload, security: 'plaintext' });
      const secure = new TLSSocket(socket, {
        isServer: true,
        secureContext: this.contextOf(address),
        requestCert: true,
        rejectUnauthorized: false,
        ALPNProtocols: ALPN,
      });
      secure.on('error', () => secure.destroy());
      secure.once('secure', () => {
        const caller = secure.getPeerCertificate()?.subjectaltname ?? 'nobody';
        const security = `TLS, ${caller}, as ${(secure as { servername?: string }).servername || 'no name'}`;
        firstBytes(secure, (first) => this.serve(secure, first, { workload, security }));
      });
    });
  }

  private serve(socket: Socket, bytes: Buffer, connection: Connection): void {
    this.connections.set(socket, connection);
    if (bytes.toString('latin1').startsWith(PREFACE)) {
      const session = performServerHandshake(socket instanceof TLSSocket ? unbuffered(socket) : socket);
      session.on('error', () => socket.destroy());
      session.on('stream', (stream, headers) => {
        this.answerHttp2(stream, headers, connection).catch((error: Error) => stream.destroy(error));
      });
    } else this.http.emit('connection', socket);
  }

  private async answerHttp1(request: IncomingMessage, response: ServerResponse, at = this.connections.get(request.socket)!): Promise<void> {
    const { rawHeaders, method = '', url = '' } = request;
    const headers: [string, string][] = [];
    for (let index = 0; index < rawHeaders.length; index += 2) headers.push([rawHeaders[index]!.toLowerCase(), rawHeaders[index + 1]!]);
    const answer = await this.record({ method, path: url, headers }, at, 'HTTP/1', request);
    if (answer.hangUp === true) request.socket.destroy();
    else response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  private async answerHttp2(stream: ServerHttp2Stream, all: IncomingHttpHeaders, at: Connection): Promise<void> {
    stream.on('error', () => stream.close());
    const { ':method': method = '', ':path': path = '', ':authority': authority = '', ':scheme': _scheme, ...rest } = all;
    const headers = Object.entries(rest).flatMap(([name, value]) => [value ?? []].flat().map((line): [string, string] => [name, line]));
    const answer = await this.record({ method, path, headers: [['host', authority], ...headers] }, at, 'HTTP/2', stream);
    // The connection carries others' requests, too.
    if (answer.hangUp === true) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else if (answer.status === 200 && String(rest['content-type']).startsWith('application/grpc')) answerCall(stream, answer);
    else {
      stream.respond({ ':status': answer.status, ...answer.headers });
      stream.end(answer.body);
    }
  }

  private async record(
    head: Pick<SeenRequest, 'method' | 'path' | 'headers'>,
    { workload, security }: Connection,
    protocol: string,
    body: AsyncIterable<Buffer>,
  ): Promise<Required<Pick<Answer, 'status' | 'headers' | 'body' | 'hangUp'>>> {
    const probe = head.headers.find(([name]) => name === PROBE_HEADER)?.[1] ?? '';
    const script = this.scripts.get(probe) ?? [];
    const seen = this.seenBy.get(probe) ?? [];
    this.seenBy.set(probe, seen);
    const answer = script[Math.min(seen.length, script.length - 1)] ?? {};
    const at = seen.length;
    const told = {
      ...head,
      workload,
      headers: [...head.headers.filter(([name]) => name !== PROBE_HEADER), ['(connection)', `${protocol} in ${security}`] as const],
    };
    seen.push({ ...told, body: '' });
    let text = '';
    for await (const chunk of body) text += chunk;
    seen[at] = { ...told, body: text };
    const { status = 200, hangUp = false, body: said = `${workload}\n` } = answer;
    const length: Record<string, string> = status === 204 ? {} : { 'content-length': String(Buffer.byteLength(said)) };
    return { status, hangUp, headers: { 'content-type': 'text/plain', ...length, ...answer.headers }, body: said };
  }
}

/** A message and trailers; trailers alone where there is nothing to say. */
function answerCall(stream: ServerHttp2Stream, { headers, body }: Pick<Required<Answer>, 'headers' | 'body'>): void {
  const { 'content-type': _type, 'content-length': _length, 'grpc-status': status = '0', 'grpc-message': said, ...rest } = headers;
  const head = { ':status': 200, 'content-type': 'application/grpc', ...rest };
  const trailers = { 'grpc-status': status, ...(said === undefined ? {} : { 'grpc-message': said }) };
  if (body === '') {
    stream.respond({ ...head, ...trailers }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers, 'x-trailer': 'of the app' }));
  const message = Buffer.from(body);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
}

/** node:http2 loses what a TLSSocket holds already. */
function unbuffered(socket: TLSSocket): Duplex {
  const [one, other] = duplexPair();
  socket.pipe(one).pipe(socket);
  socket.on('close', () => one.destroy());
  one.on('error', () => socket.destroy());
  return other;
}

/** Reads what comes first, and puts it back. */
function firstBytes(socket: Socket, then: (bytes: Buffer) => void): void {
  const read = (): void => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    socket.off('readable', read);
    socket.unshift(bytes);
    then(bytes);
  };
  socket.on('readable', read);
}
