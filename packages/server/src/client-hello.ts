/** What the first bytes of a connection are. `more` = they do not tell yet, nor will they before `atBytes` are here (default: one more). */
export type FirstBytes =
  | { readonly kind: 'more'; readonly atBytes?: number }
  | { readonly kind: 'tls'; readonly sni: string; readonly alpn: readonly string[] }
  | { readonly kind: 'http1' }
  /** The HTTP/2 preface without TLS (prior knowledge). */
  | { readonly kind: 'http2' }
  | { readonly kind: 'other' };

/** Envoy's max_client_hello_size. */
export const MAX_CLIENT_HELLO_BYTES: number = 64 * 1024;

const MORE: FirstBytes = { kind: 'more' };
const HTTP1: FirstBytes = { kind: 'http1' };
const HTTP2: FirstBytes = { kind: 'http2' };
export const OTHER: FirstBytes = { kind: 'other' };

const HANDSHAKE_RECORD = 0x16;
const CLIENT_HELLO = 1;
const PREFACE = 'PRI * HTTP/2.0';

/** Envoy's tls_inspector and http_inspector in one. What only looks like TLS is `other`: it goes to the plaintext chain. */
export function readFirstBytes(bytes: Buffer): FirstBytes {
  const first = bytes[0];
  if (first === undefined) return MORE;
  if (first === HANDSHAKE_RECORD) return readClientHello(bytes);
  const start = bytes.toString('latin1', 0, PREFACE.length);
  if (start === PREFACE) return HTTP2;
  if (PREFACE.startsWith(start)) return MORE;
  // A method, or the empty lines that may stand before it.
  const isLetter = (first >= 0x41 && first <= 0x5a) || (first >= 0x61 && first <= 0x7a);
  return isLetter || first === 0x0d || first === 0x0a ? HTTP1 : OTHER;
}

function readClientHello(bytes: Buffer): FirstBytes {
  const message = joinRecords(bytes);
  if (message === undefined) return OTHER;
  if (message.length < 4) return tooLong(bytes, 4 - message.length);
  if (message[0] !== CLIENT_HELLO) return OTHER;
  const length = message.readUIntBE(1, 3);
  if (length > MAX_CLIENT_HELLO_BYTES) return OTHER;
  if (message.length < 4 + length) return tooLong(bytes, 4 + length - message.length);
  const names = readExtensions(message.subarray(4, 4 + length));
  return names === undefined ? OTHER : { kind: 'tls', ...names };
}

/**
 * `missing` bytes of the message are to come. To look again at each byte of a message in records of one byte would cost a caller nothing
 * and us seconds.
 */
function tooLong(bytes: Buffer, missing: number): FirstBytes {
  if (bytes.length > MAX_CLIENT_HELLO_BYTES) return OTHER;
  return { kind: 'more', atBytes: Math.min(bytes.length + missing, MAX_CLIENT_HELLO_BYTES + 1) };
}

/** The handshake bytes of one or several TLS records; undefined when a record header is none. */
function joinRecords(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    if (bytes[at] !== HANDSHAKE_RECORD || bytes[at + 1] !== 3) break;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16_384 + 256) break;
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  if (parts.length === 0 && bytes.length >= 5) return undefined;
  if (parts.length === 0 && bytes.length >= 2 && bytes[1] !== 3) return undefined;
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

/** Thrown and caught here only: a field points past the end. */
const TRUNCATED = new RangeError('truncated ClientHello');

class Fields {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  number(width: 1 | 2): number {
    const next = this.take(width);
    return next.readUIntBE(0, width);
  }

  /** A vector whose length stands before it in `width` bytes. */
  vector(width: 1 | 2): Buffer {
    return this.take(this.number(width));
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw TRUNCATED;
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

const SERVER_NAME = 0;
const ALPN = 16;

function readExtensions(hello: Buffer): { sni: string; alpn: string[] } | undefined {
  let sni = '';
  const alpn: string[] = [];
  try {
    const fields = new Fields(hello);
    fields.take(2 + 32); // version, random
    fields.vector(1); // session id
    fields.vector(2); // cipher suites
    fields.vector(1); // compression methods
    if (fields.done) return { sni, alpn };
    const extensions = new Fields(fields.vector(2));
    while (!extensions.done) {
      const type = extensions.number(2);
      const body = new Fields(extensions.vector(2));
      if (type === SERVER_NAME) sni = readServerName(body);
      else if (type === ALPN) {
        const list = new Fields(body.vector(2));
        while (!list.done) alpn.push(list.vector(1).toString('latin1'));
      }
    }
  } catch (error) {
    if (error === TRUNCATED) return undefined;
    throw error;
  }
  return { sni, alpn };
}

/** The host_name entry, lower-case. */
function readServerName(body: Fields): string {
  const list = new Fields(body.vector(2));
  while (!list.done) {
    const type = list.number(1);
    const name = list.vector(2);
    if (type === 0) return name.toString('latin1').toLowerCase();
  }
  return '';
}
