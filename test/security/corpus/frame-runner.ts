import type { ClientTls } from '../../../packages/server/src/testing/raw-client.ts';
import type { Seen } from './apps.ts';
import { connectHttp2, frame, PREFACE } from './h2-client.ts';
import type { FrameAttack } from './h2-frames.ts';
import type { Finding } from './verdict.ts';

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const LATEST_MS = 2_000;

/** Sends the frames, and waits until the server has read them all or has ended the connection. */
export async function runFrames(port: number, attack: FrameAttack, seen: Seen[], tls: ClientTls | undefined): Promise<Finding | undefined> {
  seen.splice(0);
  const ended = await send(port, attack.frames, tls);
  const paths = seen.map(({ path }) => path);
  if (paths.some((path) => !attack.seen.includes(path))) return { kind: 'bypass', what: `the app saw ${paths.join()}` };
  const { connection } = attack;
  if (connection !== 'either' && ended !== (connection === 'ends')) return { kind: 'wrong', what: ended ? 'it ended' : 'it went on' };
  // What was asked before the connection had to end may have been served or not.
  if (!ended && attack.maybe !== true && paths.join() !== attack.seen.join())
    return { kind: 'wrong', what: `the app saw ${paths.join() || 'nothing'}` };
  for (const [name, value] of Object.entries(attack.headers ?? {}))
    for (const { headers } of seen)
      if (headers[name] !== value) return { kind: 'wrong', what: `the app saw ${name}: ${String(headers[name])}` };
  return undefined;
}

/** Whether the server ended the connection. */
function send(port: number, frames: readonly Buffer[], tls: ClientTls | undefined): Promise<boolean> {
  const socket = connectHttp2(port, tls);
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(false), LATEST_MS);
    let received = Buffer.alloc(0);
    let awaited = 0;
    const done = (ended: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(ended);
    };
    socket.on('error', () => {});
    socket.once('close', () => done(true));
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0)), ...frames, frame(PING, 0, 0, Buffer.alloc(8))]));
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 9 && received.length >= 9 + received.readUIntBE(0, 3)) {
        const [type, flags] = [received[3]!, received[4]!];
        received = received.subarray(9 + received.readUIntBE(0, 3));
        if (type === SETTINGS && (flags & 1) === 0) socket.write(frame(SETTINGS, 1, 0, Buffer.alloc(0)));
        if (type === GOAWAY) done(true);
        if (type === PING) awaited++;
        // Its answers may come behind that to the PING; a second one is answered behind them all.
        if (type === PING && awaited < 3) setImmediate(() => socket.write(frame(PING, 0, 0, Buffer.alloc(8))));
        if (type === PING && awaited === 3) done(false);
        if (type === HEADERS || type === RST_STREAM) awaited = Math.min(awaited, 2);
      }
    });
  });
}
