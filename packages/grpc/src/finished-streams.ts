import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import type { ClientHttp2Stream, Http2Session, Http2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** node:http2's own channel: told of each stream before anybody listens to it. */
const CHANNEL = 'http2.client.stream.created';
/** On a socket: its streams are grpc-js's, on a connection of ours. A session shows its socket only through a proxy, which passes this on. */
const OURS: unique symbol = Symbol('ripstop');

type MarkedSocket = Socket & { [OURS]?: true };

/**
 * Lets go of what hangs on a stream that has closed: the call with all that belongs to it. A session keeps its streams in a Map; V8 makes
 * that anew every few streams, and each dead one still points at the streams that it held and at the one that followed it. Once one of
 * them is in the old generation, everything behind it survives each scavenge until the next full collection, which a process with a
 * large configuration seldom makes. For the listeners of `close` itself, which have been copied by now, nothing changes.
 */
export function letGo(stream: Http2Stream): void {
  // The one of streams would wait for a tick as well, to see who reads.
  EventEmitter.prototype.removeAllListeners.call(stream);
  stream.on('error', ignore);
}

/** An error event without a listener would end the process. */
function ignore(): void {}

let open = 0;
const known = new WeakMap<Http2Session, boolean>();

/** From now on the streams of this connection are let go of when they have closed. */
export function letGoOfStreams(socket: Socket): void {
  if (socket.closed) return; // Meanwhile: its end would not be heard of.
  (socket as MarkedSocket)[OURS] = true;
  if (open++ === 0) subscribe(CHANNEL, onCreated);
  socket.once('close', () => {
    if (--open === 0) unsubscribe(CHANNEL, onCreated);
  });
}

function onCreated(message: unknown): void {
  const { stream } = message as { readonly stream: ClientHttp2Stream };
  const { session } = stream;
  if (session === undefined) return;
  let ours = known.get(session);
  if (ours === undefined) {
    ours = (session.socket as MarkedSocket)[OURS] === true;
    known.set(session, ours);
  }
  if (ours) stream.on('close', onClosed);
}

function onClosed(this: Http2Stream): void {
  letGo(this);
}
