import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/** A response as it stood on the wire. */
export interface RawResponse {
  readonly status: number;
  readonly reason: string;
  /** Names as they were written. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly trailers: readonly string[];
  header(name: string): string | undefined;
}

export type ClientTls = Pick<
  ConnectionOptions,
  'cert' | 'key' | 'ca' | 'ALPNProtocols' | 'session' | 'minVersion' | 'maxVersion' | 'servername'
>;

const CRLF = '\r\n';

/** A caller that writes bytes and reads responses one after the other, whatever they answer. */
export class RawClient {
  readonly socket: Socket;
  private received = '';
  private ended = false;
  private wake: (() => void)[] = [];

  /** Opens a connection; over TLS it is open when the handshake is done, which says nothing of the server's verdict (TLS 1.3). */
  static async open(port: number, tls?: ClientTls): Promise<RawClient> {
    const options = { port, host: '127.0.0.1', allowHalfOpen: true };
    const socket = tls === undefined ? connect(options) : connectTls({ ...options, ...tls, rejectUnauthorized: false });
    const client = new RawClient(socket);
    await once(socket, tls === undefined ? 'connect' : 'secureConnect');
    return client;
  }

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      this.rouse();
    });
    const end = (): void => {
      this.ended = true;
      this.rouse();
    };
    socket.on('end', end);
    socket.on('close', end);
  }

  write(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** `GET path` on a connection that stays open. */
  async get(path = '/', headers = ''): Promise<RawResponse> {
    this.write(`GET ${path} HTTP/1.1${CRLF}Host: a${CRLF}${headers}${CRLF}`);
    return this.response();
  }

  /** The next final response; rejects when the connection ends before it. */
  async response(method = 'GET'): Promise<RawResponse> {
    for (;;) {
      const response = await this.head(method);
      if (response.status >= 200 || response.status === 101) return response;
    }
  }

  /** The next response, interim ones too. */
  async head(method = 'GET'): Promise<RawResponse> {
    const end = await this.until(CRLF + CRLF);
    const [start = '', ...rest] = this.take(end + 4)
      .slice(0, -4)
      .split(CRLF);
    const [, status = '0', reason = ''] = /^HTTP\/1\.1 (\d+) ?(.*)$/.exec(start) ?? [];
    const lines = rest.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const);
    const header = (name: string): string | undefined => {
      const values = lines.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
      return values.length === 0 ? undefined : values.join(',');
    };
    const code = Number(status);
    const { body, trailers } = code < 200 || code === 204 || code === 304 || method === 'HEAD' ? EMPTY : await this.body(header);
    return { status: code, reason, lines, body, trailers, header };
  }

  /** Whatever comes until the server closes. */
  async rest(): Promise<string> {
    while (!this.ended) await this.more();
    return this.take(this.received.length);
  }

  /** Bytes that have come and were not read. */
  get unread(): string {
    return this.received;
  }

  /** Waits for exactly so many characters. */
  async bytes(count: number): Promise<string> {
    while (this.received.length < count) await this.moreOrFail();
    return this.take(count);
  }

  close(): void {
    this.socket.destroy();
  }

  private async body(header: (name: string) => string | undefined): Promise<{ body: string; trailers: string[] }> {
    const length = header('content-length');
    if (length !== undefined) return { body: await this.bytes(Number(length)), trailers: [] };
    if (header('transfer-encoding') !== 'chunked') return { body: await this.rest(), trailers: [] };
    let body = '';
    for (;;) {
      const line = await this.until(CRLF);
      const size = Number.parseInt(this.take(line + 2), 16);
      if (size === 0) break;
      body += await this.bytes(size);
      await this.bytes(2);
    }
    const trailers: string[] = [];
    for (;;) {
      const line = this.take((await this.until(CRLF)) + 2).slice(0, -2);
      if (line === '') return { body, trailers };
      trailers.push(line);
    }
  }

  private async until(mark: string): Promise<number> {
    for (;;) {
      const at = this.received.indexOf(mark);
      if (at !== -1) return at;
      await this.moreOrFail();
    }
  }

  private async moreOrFail(): Promise<void> {
    if (this.ended) throw new Error(`the connection ended; unread: ${JSON.stringify(this.received)}`);
    await this.more();
  }

  private more(): Promise<void> {
    return new Promise((resolve) => this.wake.push(resolve));
  }

  private rouse(): void {
    for (const resolve of this.wake.splice(0)) resolve();
  }

  private take(length: number): string {
    const taken = this.received.slice(0, length);
    this.received = this.received.slice(length);
    return taken;
  }
}

const EMPTY = { body: '', trailers: [] as string[] };
