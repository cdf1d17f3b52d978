import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { FirstBytes } from './client-hello.ts';
import { PEEK_TIMEOUT_MS, peekConnection, takeProxyHeader } from './connection-peek.ts';
import { FakeClock } from './testing/fake-clock.ts';

/** What was found, and what somebody who reads the socket afterwards gets. */
function looking<T>(look: (socket: Socket, clock: FakeClock, done: (found: T) => void) => void) {
  const clock = new FakeClock();
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(), autoDestroy: false }) as unknown as Socket;
  const found: T[] = [];
  look(socket, clock, (one) => found.push(one));
  const push = async (text: string | Buffer | null): Promise<void> => {
    socket.push(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const left = (): string => (socket.read() as Buffer | null)?.toString('latin1') ?? '';
  const listeners = (): number => ['readable', 'end', 'close'].reduce((sum, name) => sum + socket.listenerCount(name), 0);
  return { clock, socket, found, push, left, listeners };
}

describe('the first bytes of a connection', () => {
  const peeking = () => looking<FirstBytes | undefined>(peekConnection);

  it('are told once they say enough, and are still there for who reads it', async () => {
    const { found, push, left, clock, listeners } = peeking();
    await push('P');
    await push('RI');
    expect([found, clock.pending]).toEqual([[], 1]);
    await push(' / HTTP/1.1\r\n');
    expect([found, clock.pending, listeners()]).toEqual([[{ kind: 'http1' }], 0, 0]);
    expect(left()).toBe('PRI / HTTP/1.1\r\n');
  });

  it('are told by the first of them when it says enough, and by each that follows one that does not', async () => {
    const one = peeking();
    await one.push('G');
    expect(one.found).toEqual([{ kind: 'http1' }]);
    const two = peeking();
    await two.push('P');
    expect(two.found).toEqual([]);
    await two.push('O');
    expect(two.found).toEqual([{ kind: 'http1' }]);
  });

  it('that come in one piece are read where they lie', async () => {
    const { push, socket } = peeking();
    const bytes = Buffer.alloc(100, 'GET / HTTP/1.1\r\n');
    await push(bytes);
    const left = socket.read() as Buffer;
    expect([left.buffer === bytes.buffer, left.length]).toEqual([true, 100]);
  });

  it('are put together only when they can be whole, not for every piece of a long ClientHello', async () => {
    const { found, push, left } = peeking();
    const hello = Buffer.concat([Buffer.of(0x16, 3, 1, 1, 4, 1, 0, 1, 0), Buffer.alloc(256)]);
    const { concat } = Buffer;
    let joined = 0;
    Buffer.concat = (...args) => {
      joined++;
      return concat(...args);
    };
    try {
      for (let at = 0; at < hello.length - 1; at++) await push(hello.subarray(at, at + 1));
      // Its first bytes say how long it is: one look at each of them, and none at what follows.
      expect([found, joined < 20]).toEqual([[], true]);
    } finally {
      Buffer.concat = concat;
    }
    await push(hello.subarray(-1));
    expect(found).toHaveLength(1);
    expect(left()).toBe(hello.toString('latin1'));
  });

  it('are nothing when the caller goes before, and no error', async () => {
    const { found, push, socket, clock, listeners } = peeking();
    const errors: Error[] = [];
    socket.on('error', (error) => errors.push(error));
    await push('PR');
    await push(null);
    expect([found, clock.pending, listeners(), errors]).toEqual([[undefined], 0, 0, []]);
  });

  it('are nothing when the connection is lost, and nobody puts bytes back into it', async () => {
    const { found, push, socket, clock, listeners } = peeking();
    await push('PR');
    socket.destroy();
    await once(socket, 'close');
    expect([found, clock.pending, listeners()]).toEqual([[undefined], 0, 0]);
    const silent = peeking();
    silent.socket.destroy();
    await once(silent.socket, 'close');
    expect(silent.found).toEqual([undefined]);
  });

  it('are nothing when reading them finds the connection lost', async () => {
    const { found, push, socket } = peeking();
    const { read } = socket;
    socket.read = (size) => {
      const chunk = read.call(socket, size);
      if (chunk !== null) socket.destroy();
      return chunk;
    };
    await push('GET / HTTP/1.1\r\n');
    expect(found).toEqual([undefined]);
  });

  it('are waited for 15 s', async () => {
    const { found, push, left, clock, listeners } = peeking();
    await push('PR');
    clock.advance(14_999);
    expect(found).toEqual([]);
    clock.advance(1);
    expect([found, listeners()]).toEqual([[undefined], 0]);
    await push('I / HTTP/1.1\r\n');
    expect([found.length, left()]).toEqual([1, 'PRI / HTTP/1.1\r\n']);
  });
});

describe('the header of a proxy', () => {
  const taking = () => looking<{ readonly addresses: unknown } | undefined>(takeProxyHeader);
  const LINE = 'PROXY TCP4 1.2.3.4 10.0.0.9 4660 443\r\n';

  it('is taken off, and what comes behind it stays', async () => {
    const { found, push, left } = taking();
    await push(LINE.slice(0, 9));
    expect(found).toEqual([]);
    await push(`${LINE.slice(9)}GET`);
    expect(found).toMatchObject([{ addresses: { address: '1.2.3.4', localPort: 443 } }]);
    expect(left()).toBe('GET');
  });

  it('may have nothing behind it yet', async () => {
    const { found, push, left } = taking();
    await push('PROXY UNKNOWN\r\n');
    expect(found).toEqual([{ kind: 'header', length: 15, addresses: undefined }]);
    expect(left()).toBe('');
    await push('GET');
    expect(left()).toBe('GET');
  });

  it('that is none is nothing', async () => {
    const { found, push } = taking();
    await push('GET / HTTP/1.1\r\n');
    expect(found).toEqual([undefined]);
  });

  it('that does not come to its end is nothing', async () => {
    const { found, push, clock } = taking();
    await push(LINE.slice(0, 9));
    clock.advance(PEEK_TIMEOUT_MS);
    expect(found).toEqual([undefined]);
  });
});
