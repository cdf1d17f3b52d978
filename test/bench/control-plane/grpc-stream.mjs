// One gRPC stream on an HTTP/2 connection of its own, over a bare socket. 500 clients share a core with each other: Node's own client
// costs more than the server that is measured. Of HTTP/2 it knows what a server may send to such a client, and refuses the rest.
import { connect } from 'node:net';

const DATA = 0;
const HEADERS = 1;
const RESET = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW = 8;
const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const HEAD = 9;
const MAX_FRAME = 16_384;
const FIRST_WINDOW = 65_535;
const STREAM = 1;
const ENABLE_PUSH = 2;
const INITIAL_WINDOW = 4;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const NOTHING = Buffer.alloc(0);
/** What is read is taken before the next is: one for all. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

export class GrpcStream {
  /** `onData(bytes)`: good until it returns. `onError` once, also when the server ends the stream. */
  constructor({ address, path, streamWindow, connectionWindow, onData, onError }) {
    this.onData = onData;
    this.onError = onError;
    this.streamWindow = streamWindow;
    this.connectionWindow = connectionWindow;
    this.unsaidOfStream = 0;
    this.unsaidOfConnection = 0;
    this.mayStream = FIRST_WINDOW;
    this.mayConnection = FIRST_WINDOW;
    this.peersFirst = FIRST_WINDOW;
    this.outgoing = [];
    this.head = Buffer.alloc(HEAD);
    this.headFilled = 0;
    /** Of a frame's payload, still to come. */
    this.left = 0;
    this.payload = NOTHING;
    this.payloadFilled = 0;
    const at = address.lastIndexOf(':');
    this.socket = connect({
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (count, buffer) => {
          this.#read(buffer.subarray(0, count));
          return true;
        },
      },
    });
    this.socket.on('error', (error) => this.#fail(error));
    this.socket.on('close', () => this.#fail(new Error('the server closed the connection')));
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(ENABLE_PUSH, 0);
    settings.writeUInt16BE(INITIAL_WINDOW, 6);
    settings.writeUInt32BE(streamWindow, 8);
    this.socket.write(
      Buffer.concat([
        PREFACE,
        frame(SETTINGS, 0, 0, settings),
        windowUpdate(0, connectionWindow - FIRST_WINDOW),
        frame(HEADERS, END_HEADERS, STREAM, requestHeaders(address, path)),
      ]),
    );
  }

  /** Sends bytes of the request, as the server's windows allow. */
  send(bytes) {
    this.outgoing.push(bytes);
    this.#flush();
  }

  destroy() {
    this.onError = () => {};
    this.socket.destroy();
  }

  #flush() {
    const out = [];
    while (this.outgoing.length > 0) {
      const [bytes] = this.outgoing;
      const length = Math.min(bytes.length, MAX_FRAME, this.mayStream, this.mayConnection);
      if (length <= 0) break;
      out.push(frame(DATA, 0, STREAM, bytes.subarray(0, length)));
      this.mayStream -= length;
      this.mayConnection -= length;
      if (length === bytes.length) this.outgoing.shift();
      else this.outgoing[0] = bytes.subarray(length);
    }
    if (out.length > 0) this.socket.write(out.length === 1 ? out[0] : Buffer.concat(out));
  }

  #read(chunk) {
    let at = 0;
    while (at < chunk.length) {
      if (this.left === 0) {
        const count = Math.min(HEAD - this.headFilled, chunk.length - at);
        chunk.copy(this.head, this.headFilled, at, at + count);
        this.headFilled += count;
        at += count;
        if (this.headFilled < HEAD) return;
        this.left = this.head.readUIntBE(0, 3);
        this.payload = this.head[3] === DATA ? NOTHING : Buffer.alloc(this.left);
        this.payloadFilled = 0;
        if (this.left > 0) continue;
      }
      const part = chunk.subarray(at, at + this.left);
      at += part.length;
      this.left -= part.length;
      if (this.head[3] === DATA) this.#data(part);
      else this.payloadFilled += part.copy(this.payload, this.payloadFilled);
      if (this.left > 0) return;
      this.headFilled = 0;
      this.#frame(this.head[3], this.head[4], this.payload);
    }
  }

  #data(part) {
    if ((this.head[4] & PADDED) !== 0) {
      this.#fail(new Error('the server pads its frames, which the bench cannot read'));
      return;
    }
    this.onData(part);
    this.unsaidOfStream += part.length;
    this.unsaidOfConnection += part.length;
    if (this.unsaidOfStream >= this.streamWindow / 2) {
      this.socket.write(windowUpdate(STREAM, this.unsaidOfStream));
      this.unsaidOfStream = 0;
    }
    if (this.unsaidOfConnection >= this.connectionWindow / 2) {
      this.socket.write(windowUpdate(0, this.unsaidOfConnection));
      this.unsaidOfConnection = 0;
    }
  }

  #frame(type, flags, payload) {
    if (type === SETTINGS && (flags & ACK) === 0) {
      this.#settings(payload);
      this.socket.write(frame(SETTINGS, ACK, 0, NOTHING));
    } else if (type === PING && (flags & ACK) === 0) this.socket.write(frame(PING, ACK, 0, payload));
    else if (type === WINDOW) {
      const more = payload.readUInt32BE(0);
      if (this.head.readUInt32BE(5) === STREAM) this.mayStream += more;
      else this.mayConnection += more;
      this.#flush();
    } else if (type === RESET || type === GOAWAY) this.#fail(new Error(`the server sent ${type === RESET ? 'RST_STREAM' : 'GOAWAY'}`));
    else if ((type === HEADERS || type === DATA) && (flags & END_STREAM) !== 0) this.#fail(new Error('the server ended the stream'));
  }

  #settings(payload) {
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== INITIAL_WINDOW) continue;
      const first = payload.readUInt32BE(at + 2);
      this.mayStream += first - this.peersFirst;
      this.peersFirst = first;
      this.#flush();
    }
  }

  #fail(error) {
    const { onError } = this;
    this.destroy();
    onError(error);
  }
}

function frame(type, flags, stream, payload) {
  const bytes = Buffer.allocUnsafe(HEAD + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEAD);
  return bytes;
}

function windowUpdate(stream, more) {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(more);
  return frame(WINDOW, 0, stream, payload);
}

/** HPACK without its tables' dynamic part: `:method: POST` and `:scheme: http` by index, the rest as literals. */
function requestHeaders(authority, path) {
  const literal = (name, value) => [Buffer.from([0]), text(name), text(value)];
  return Buffer.concat([
    Buffer.from([0x83, 0x86]),
    Buffer.from([0x04]),
    text(path),
    Buffer.from([0x01]),
    text(authority),
    ...literal('content-type', 'application/grpc'),
    ...literal('te', 'trailers'),
  ]);
}

/** Shorter than 127 bytes, or with the one more byte that HPACK's integers need. */
function text(value) {
  const bytes = Buffer.from(value, 'latin1');
  const length = bytes.length < 127 ? [bytes.length] : [127, bytes.length - 127];
  return Buffer.concat([Buffer.from(length), bytes]);
}
