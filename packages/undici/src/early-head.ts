import type { RequestHead } from '@ripstop/core';

/**
 * undici writes a request's head together with the first bytes of its body, when these have a length. This piece has none, and says that
 * it has some: so little that it is lost in the sum, which undici compares with the content-length.
 */
const NO_BYTES: Buffer = Object.defineProperty(Buffer.alloc(0), 'byteLength', { value: Number.MIN_VALUE });

/** Whether the head can go first. Without a length undici would make a chunk of {@link NO_BYTES}. */
export function canGoFirst(request: RequestHead): boolean {
  return Number(request.header('content-length') ?? 0) > 0;
}

/** A body whose head is written at once where its first bytes take longer than this turn of the event loop. */
export async function* behindHead(body: AsyncGenerator<Uint8Array, void, void>): AsyncGenerator<Uint8Array, void, void> {
  try {
    const first = body.next();
    if (!(await Promise.race([first.then(came), turn()]))) yield NO_BYTES;
    const { done, value } = await first;
    if (done === true) return;
    yield value;
    yield* body;
  } finally {
    await body.return();
  }
}

function came(): boolean {
  return true;
}

function turn(): Promise<boolean> {
  return new Promise((resolve) => setImmediate(resolve, false));
}
