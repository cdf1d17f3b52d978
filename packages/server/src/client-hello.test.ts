import { once } from 'node:events';
import { createServer } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { MAX_CLIENT_HELLO_BYTES, readFirstBytes } from './client-hello.ts';

/** The ClientHello that OpenSSL sends. */
async function clientHello(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connect({ host: '127.0.0.1', port, ...options });
  client.on('error', () => {});
  const [socket] = await once(server, 'connection');
  const [bytes] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

/** The same handshake message in records of `size` bytes. */
function split(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([0x16, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

describe('the first bytes of a connection', () => {
  it.each<[string, string]>([
    ['GET / HTTP/1.1', 'http1'],
    ['get', 'http1'],
    ['\r\n\r\nGET', 'http1'],
    ['PRI * HTTP/2.0\r\n', 'http2'],
    ['PRI * HTTP/1.1\r\n', 'http1'],
    ['PRI', 'more'],
    ['P', 'more'],
    ['PUT', 'http1'],
    ['', 'more'],
    ['\x80\x2e\x01', 'other'],
    ['\0', 'other'],
    ['\nGET', 'http1'],
    ['\x0b', 'other'],
    ...['A', 'Z', 'a', 'z'].map((letter): [string, string] => [letter, 'http1']),
    ...['@', '[', '`', '{'].map((other): [string, string] => [other, 'other']),
    ['\x16\x03\x01\x00\x04\x01\x00\x00\x00', 'other'], // an empty ClientHello
    ['\x15\x03\x01\x00\x02', 'other'],
    ['\x16\x04\x01\x00\x02', 'other'],
    ['\x16', 'more'],
    ['\x16\x03', 'more'],
    ['\x16\x02', 'other'],
    ['\x16\x03\x01\x00\x00', 'other'],
    ['\x16\x03\x01\x00\x04\x02\x00\x00\x00', 'other'],
    ['\x16\x03\x01\xff\xff', 'other'],
  ])('%j: %s', (text, kind) => {
    expect(readFirstBytes(Buffer.from(text, 'latin1')).kind).toBe(kind);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('of %s tell SNI, in lower case, and every protocol offered', async (version) => {
    const options = { servername: 'Shop.Example', ALPNProtocols: ['istio', 'h2'], minVersion: version, maxVersion: version };
    const hello = await clientHello(options);
    expect(readFirstBytes(hello)).toEqual({ kind: 'tls', sni: 'shop.example', alpn: ['istio', 'h2'] });
    expect(readFirstBytes(await clientHello({ minVersion: version }))).toEqual({ kind: 'tls', sni: '', alpn: [] });
  });

  /** A ClientHello with these extensions, or without any. */
  const hello = (extensions?: Buffer): Buffer => {
    const vector = (bytes: Buffer, width = 2): Buffer => {
      const length = Buffer.alloc(width);
      length.writeUIntBE(bytes.length, 0, width);
      return Buffer.concat([length, bytes]);
    };
    const body = [Buffer.alloc(34), vector(Buffer.alloc(0), 1), vector(Buffer.alloc(2)), vector(Buffer.alloc(1), 1)];
    const message = Buffer.concat([
      Buffer.of(1),
      vector(Buffer.concat(extensions === undefined ? body : [...body, vector(extensions)]), 3),
    ]);
    return Buffer.concat([Buffer.of(0x16, 3, 1), vector(message)]);
  };
  const nameEntry = (type: number, name: string): Buffer => Buffer.from([type, 0, name.length, ...Buffer.from(name)]);
  const serverNames = (...entries: Buffer[]): Buffer => {
    const list = Buffer.concat(entries);
    return Buffer.concat([Buffer.of(0, 0, 0, list.length + 2, 0, list.length), list]);
  };

  it('without extensions, or with names of another kind alone, name nobody', () => {
    const nobody = { kind: 'tls', sni: '', alpn: [] };
    expect(readFirstBytes(hello())).toEqual(nobody);
    expect(readFirstBytes(hello(serverNames(nameEntry(1, 'a.test'))))).toEqual(nobody);
    expect(readFirstBytes(hello(serverNames(nameEntry(1, 'a.test'), nameEntry(0, 'b.test'))))).toEqual({ ...nobody, sni: 'b.test' });
  });

  it('tell nothing before the ClientHello is whole, and the same whatever its records', async () => {
    const hello = await clientHello({ servername: 'a.b', ALPNProtocols: ['istio'] });
    const tls = { kind: 'tls', sni: 'a.b', alpn: ['istio'] };
    for (let length = 0; length < hello.length; length++) expect(readFirstBytes(hello.subarray(0, length)).kind).toBe('more');
    for (const size of [1, 7, 100]) expect(readFirstBytes(split(hello, size))).toEqual(tls);
  });

  it('never throw, whichever byte is wrong', async () => {
    const hello = await clientHello({ servername: 'a.b', ALPNProtocols: ['istio'] });
    for (let at = 0; at < hello.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const broken = Buffer.from(hello);
        broken[at] = value;
        expect(['more', 'tls', 'other', 'http1']).toContain(readFirstBytes(broken).kind);
      }
    }
  });

  it('are given up when a ClientHello is larger than Envoy takes', () => {
    const header = Buffer.from([0x16, 3, 1, 0x40, 0, 1, 1, 0, 1]); // 65,537 bytes are announced
    expect(readFirstBytes(header).kind).toBe('other');
    const trickle = Buffer.concat(Array.from({ length: 12_000 }, () => Buffer.from([0x16, 3, 1, 0, 1, 1])));
    expect(trickle.length).toBeGreaterThan(MAX_CLIENT_HELLO_BYTES);
    expect(readFirstBytes(trickle).kind).toBe('other');
  });

  it('say before how many bytes they tell nothing, so that a message in the smallest records is not read for each of them', () => {
    const message = Buffer.concat([Buffer.from([1, 0, 0x27, 0x10]), Buffer.alloc(10_000)]); // 10,000 bytes
    const bytes = split(Buffer.concat([Buffer.alloc(5), message]), 1);
    let looks = 0;
    for (let at = 1; at < bytes.length; ) {
      const found = readFirstBytes(bytes.subarray(0, at));
      expect(found.kind).toBe('more');
      looks++;
      at = (found.kind === 'more' ? found.atBytes : undefined) ?? at + 1;
    }
    expect(looks).toBeLessThan(100);
    const before = bytes.subarray(0, 600);
    const { atBytes } = readFirstBytes(before) as { atBytes: number };
    for (let at = before.length; at < atBytes; at += 997) expect(readFirstBytes(bytes.subarray(0, at)).kind).toBe('more');
  });
});
