import type { RequestHead } from '@ripstop/core';

/**
 * undici writes a request's head together with the first bytes of its body, when these have a length. This piece has none, and says that
 * it has some: so little that it is lost in the sum, which undici compares with the content-length.
 */
const NO_BYTES: Buffer = Object.defineProperty(Buffer.alloc(0), 'byteLength', { value: Number.MIN_VALUE });

/** What of a socket undici's codec writes to. */
interface Written {
  readonly writableNeedDrain: boolean;
  write(data: string | Uint8Array, encoding?: BufferEncoding): boolean;
}

/**
 * A body of a listener's request, whose head is written at once where its first bytes take longer than this turn of the event loop.
 * `socket`: what it is written to, over HTTP/1.
 */
export async function* behindHead(
  body: AsyncGenerator<Uint8Array, void, void>,
  request: RequestHead,
  socket: Written,
): AsyncGenerator<Uint8Array, void, void> {
  const chunked = !(Number(request.header('content-length') ?? 0) > 0);
  try {
    const first = body.next();
    const came = await Promise.race([first, turn()]);
    // An empty body that came in chunks goes on as such: without a piece undici would write a length of 0, or none.
    if (came === undefined || (chunked && came.done === true)) {
      if (chunked) cutBehindHead(socket);
      yield NO_BYTES;
    }
    const { done, value } = await first;
    if (done === true) return;
    yield value;
    yield* body;
  } finally {
    await body.return();
  }
}

/**
 * undici frames a chunked body as `head CRLF size CRLF bytes`, and every later chunk as `CRLF size CRLF bytes`: the line break that ends
 * the head is written with the size. Around {@link NO_BYTES} the next four writes are made `head`, `CRLF`, nothing, and then the next
 * chunk, or the last one, without the line break that is there already. A framing that is not known ends the request.
 */
function cutBehindHead(socket: Written): void {
  let written = 0;
  const write = socket.write;
  socket.write = (data, encoding) => {
    switch (written++) {
      case 0:
        return write.call(socket, data, encoding);
      case 1:
        return write.call(socket, data.slice(0, withoutBreak(data)), encoding);
      case 2:
        return !socket.writableNeedDrain;
      default:
        socket.write = write;
        return write.call(socket, data.slice(withoutBreak(data)), encoding);
    }
  };
}

/** Where a frame goes on behind its line break. */
function withoutBreak(frame: string | Uint8Array): number {
  if (typeof frame !== 'string' || !frame.startsWith(CRLF)) throw new Error('undici frames chunks in a way that is not known');
  return CRLF.length;
}

const CRLF = '\r\n';

function turn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined));
}
