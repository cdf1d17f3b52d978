import { connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Reply } from '../../../simulation/observation.ts';
import type { Certificates } from '../../whole-way/certificates.ts';
import { PROBE_HEADER } from '../listener.ts';
import { Http1Reader } from './http1-reader.ts';
import type { ServerCall } from './scenario.ts';

/** Longer than anything that is drawn takes. */
const SILENCE_MS = 3000;
/** Envoy says its own address in the place of 127.0.0.1. */
const CALLER = '127.0.0.2';
const NO_REPLY = { status: 0, headers: {}, body: '' };

/** Makes a call over a connection of its own. */
export async function callServer(
  address: { readonly host: string; readonly port: number },
  call: ServerCall,
  probe: string,
  certificates: Certificates,
): Promise<Reply> {
  const headers = [...call.headers, [PROBE_HEADER, probe] as const];
  const raw = connectTcp({ ...address, noDelay: true, localAddress: CALLER });
  const socket = call.as === undefined || call.as === '' ? raw : secured(raw, certificates, call.as, call.protocol);
  raw.on('error', () => {});
  socket.on('error', () => {});
  const started = performance.now();
  const answer = call.protocol === 'http1' ? http1(socket, { ...call, headers }) : http2(socket, { ...call, headers });
  const timer = setTimeout(() => raw.destroy(), SILENCE_MS);
  const reply = await answer.finally(() => {
    clearTimeout(timer);
    raw.destroy();
  });
  return { ...NO_REPLY, ...reply, tookMs: performance.now() - started };
}

function secured(socket: Socket, certificates: Certificates, spiffeId: string, protocol: ServerCall['protocol']): Socket {
  const { chain: cert, key } = certificates.leaf(spiffeId);
  return connectTls({
    socket,
    cert,
    key,
    ca: certificates.rootPem,
    servername: 'served',
    ALPNProtocols: [protocol === 'http1' ? 'http/1.1' : 'h2'],
    // Names of the mesh are URIs, which Node does not look at; the CA is checked.
    checkServerIdentity: () => undefined,
  });
}

type Answered = Partial<Reply>;

function http1(socket: Socket, { method, path, authority, headers, body, chunked }: ServerCall): Promise<Answered> {
  const length = body.reduce((sum, piece) => sum + piece.length, 0);
  const withBody = body.length > 0 || method === 'POST' || method === 'PUT';
  const framing = !withBody ? [] : chunked ? ['transfer-encoding: chunked'] : [`content-length: ${length}`];
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${authority}`, ...headers.map(([name, value]) => `${name}: ${value}`), ...framing];
  const pieces = chunked && withBody ? [...body.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`), '0\r\n\r\n'] : body;
  return new Promise((resolve) => {
    const reader = new Http1Reader(method);
    socket.write(`${lines.join('\r\n')}\r\n\r\n${pieces.join('')}`, 'latin1');
    socket.on('data', (bytes: Buffer) => {
      if (reader.take(bytes)) resolve(reader.reply());
    });
    socket.on('close', () => resolve(reader.reply()));
  });
}

function http2(socket: Socket, { method, path, authority, headers, body }: ServerCall): Promise<Answered> {
  return new Promise((resolve) => {
    const session = connectHttp2('http://served', { createConnection: () => socket });
    session.on('error', () => resolve(NO_REPLY));
    session.on('close', () => resolve(NO_REPLY));
    const pseudo = [':method', method, ':path', path, ':authority', authority, ':scheme', 'http'];
    const stream = session.request([...pseudo, ...headers.flat()], { endStream: body.length === 0 });
    let status = 0;
    let reply: Record<string, string> = {};
    let text = '';
    stream.on('response', (got) => {
      status = Number(got[constants.HTTP2_HEADER_STATUS]);
      reply = {};
      for (const [name, value] of Object.entries(got)) if (!name.startsWith(':')) reply[name] = [value].flat().join(',');
    });
    stream.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    stream.on('error', () => {});
    stream.on('close', () => {
      const code = stream.rstCode;
      resolve({ status, headers: reply, body: text + (code === constants.NGHTTP2_NO_ERROR ? '' : `(reset ${code})`) });
      session.destroy();
    });
    for (const piece of body) stream.write(piece);
    if (body.length > 0) stream.end();
  });
}
