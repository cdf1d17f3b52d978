import type { ServerHttp2Stream } from 'node:http2';
import grpc from '@grpc/grpc-js';
import { PREFIX_BYTES, type WireMessage } from './wire.ts';

/** Writes one message; `done` when it has been handed to the socket, or never will be. */
export type WriteMessage = (message: WireMessage, done: () => void) => void;

/**
 * grpc-js copies every message into a buffer of its own. A full set for each of 500 clients is more than a gigabyte of copies, so the
 * parts go to the call's HTTP/2 stream as they are, where it can be reached; else through grpc-js.
 */
export function messageWriter(call: grpc.ServerDuplexStream<unknown, Buffer>): WriteMessage {
  const stream = http2StreamOf(call);
  if (stream === undefined)
    return ({ head, body }, done) =>
      void call.write(Buffer.concat([head.subarray(PREFIX_BYTES), ...(body === undefined ? [] : [body])]), done);
  // `close` follows, which ends the call.
  stream.on('error', () => {});
  let opened = false;
  return ({ head, body }, done) => {
    if (stream.destroyed || stream.writableEnded || call.writableEnded) {
      done();
      return;
    }
    if (!opened) {
      call.sendMetadata(new grpc.Metadata());
      opened = true;
    }
    head[0] = 0;
    head.writeUInt32BE(head.length - PREFIX_BYTES + (body?.length ?? 0), 1);
    if (body === undefined) {
      stream.write(head, done);
      return;
    }
    stream.cork();
    stream.write(head);
    stream.write(body, done);
    stream.uncork();
  };
}

/** Under the call, in grpc-js 1.x; looked at with care, for it is none of its promises. */
function http2StreamOf(call: object): ServerHttp2Stream | undefined {
  const { stream } = (call as { readonly call?: { readonly stream?: Partial<ServerHttp2Stream> } }).call ?? {};
  const usable = typeof stream?.respond === 'function' && typeof stream.write === 'function' && typeof stream.cork === 'function';
  return usable ? (stream as ServerHttp2Stream) : undefined;
}
