import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ClientTls } from '../../../packages/server/src/testing/raw-client.ts';
import type { Fields } from './row.ts';

/** How an HTTP/2 request ended: a response, or 0 when the stream was reset or the connection closed. */
export interface StreamAnswer {
  readonly status: number;
  readonly body: string;
  /** Of a gRPC response. */
  readonly grpcStatus?: number;
}

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const CONTINUATION = 9;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const END_HEADERS = 4;
const MAX_FRAME = 16_384;
/** A window that no body here fills. */
const WINDOW = 0x7fff_0000;

/** One request by hand-made frames, so that it may say what no library would write. */
export async function sendStream(
  port: number,
  fields: Fields,
  body: string | undefined,
  tls: ClientTls | undefined,
): Promise<StreamAnswer> {
  const socket = connectHttp2(port, tls);
  try {
    return await exchange(socket, tls === undefined ? 'connect' : 'secureConnect', fields, body);
  } finally {
    socket.destroy();
  }
}

/** A connection to speak HTTP/2 on, over TLS by the ALPN of the mesh where `tls` has that. */
export function connectHttp2(port: number, tls: ClientTls | undefined): Socket {
  const options = { port, host: '127.0.0.1', noDelay: true };
  if (tls === undefined) return connect(options);
  const ofMesh = (tls.ALPNProtocols as readonly string[]).includes('istio');
  return connectTls({ ...options, ...tls, ALPNProtocols: ofMesh ? ['istio', 'h2'] : ['h2'], rejectUnauthorized: false });
}

function exchange(socket: Socket, ready: string, fields: Fields, body: string | undefined): Promise<StreamAnswer> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    let status = 0;
    let text = '';
    let grpcStatus: number | undefined;
    socket.on('error', () => {});
    socket.once('close', () => resolve({ status: 0, body: '' }));
    socket.once(ready, () => socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0)), ...request(fields, body)])));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 9) {
        const length = received.readUIntBE(0, 3);
        if (received.length < 9 + length) return;
        const [type, flags, id] = [received[3]!, received[4]!, received.readUInt32BE(5)];
        const payload = received.subarray(9, 9 + length);
        received = received.subarray(9 + length);
        if (type === SETTINGS && (flags & 1) === 0) socket.write(frame(SETTINGS, 1, 0, Buffer.alloc(0)));
        if (type === RST_STREAM && id === 1 && status === 0) resolve({ status: 0, body: '' });
        if (type === HEADERS && id === 1) {
          status ||= statusOf(payload);
          grpcStatus ??= grpcStatusOf(payload);
        }
        if (status > 0 && status < 200) status = 0;
        if (type === DATA) text += payload.toString('latin1');
        if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0)
          resolve({ status, body: text, ...(grpcStatus === undefined ? {} : { grpcStatus }) });
      }
    });
  });
}

function request(fields: Fields, body: string | undefined): Buffer[] {
  const block = Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), literal(name), literal(value)])));
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += MAX_FRAME) pieces.push(block.subarray(at, at + MAX_FRAME));
  const frames = pieces.map((piece, index) => {
    const last = index === pieces.length - 1 ? END_HEADERS : 0;
    return frame(index === 0 ? HEADERS : CONTINUATION, last | (index === 0 && body === undefined ? END_STREAM : 0), 1, piece);
  });
  const window = Buffer.alloc(4);
  window.writeUInt32BE(WINDOW);
  return [
    frame(WINDOW_UPDATE, 0, 0, window),
    ...frames,
    ...(body === undefined ? [] : [frame(DATA, END_STREAM, 1, Buffer.from(body, 'latin1'))]),
  ];
}

export function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(id, 5);
  return Buffer.concat([header, payload]);
}

/** RFC 7541 §5: a length of seven bits and more, then the text without Huffman coding. */
export function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** `grpc-status` in Huffman's code, as nghttp2 writes it; no number is shorter in that code, so they are written as they are. */
const GRPC_STATUS = Buffer.from('9acac8b21234da8f', 'hex');

function grpcStatusOf(block: Buffer): number | undefined {
  const at = block.indexOf(GRPC_STATUS);
  if (at === -1) return undefined;
  const value = at + GRPC_STATUS.length;
  return Number(block.subarray(value + 1, value + 1 + block[value]!).toString('latin1'));
}

const INDEXED_STATUS: Readonly<Record<number, number>> = { 136: 200, 137: 204, 138: 206, 139: 304, 140: 400, 141: 404, 142: 500 };

/** `:status` stands first. It is indexed, or a literal of three digits: of Huffman's code only those of digits are needed. */
function statusOf(block: Buffer): number {
  // A table size update may stand before it.
  let at = 0;
  while ((block[at]! & 0xe0) === 0x20) at++;
  const first = block[at]!;
  const indexed = INDEXED_STATUS[first];
  if (indexed !== undefined) return indexed;
  const length = block[at + 1]! & 0x7f;
  const value = block.subarray(at + 2, at + 2 + length);
  if ((block[at + 1]! & 0x80) === 0) return Number(value.toString('latin1'));
  const bits = [...value].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let digits = '';
  for (let bit = 0; digits.length < 3; ) {
    const short = Number.parseInt(bits.slice(bit, bit + 5), 2);
    if (short <= 2) {
      digits += short;
      bit += 5;
    } else {
      digits += Number.parseInt(bits.slice(bit, bit + 6), 2) - 22; // '3' is 011001.
      bit += 6;
    }
  }
  return Number(digits);
}
