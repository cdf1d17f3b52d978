import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls';
import { type ConnectionFacts, type FilterChain, type FilterChainMatch, MeteredSocket, type Snapshot, SnapshotRef } from '@ripstop/core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ListenerChains } from './chain-choice.ts';
import { ConnectionGate, type ConnectionGateOptions, type Spoken } from './connection-gate.ts';
import { PEEK_TIMEOUT_MS } from './connection-peek.ts';
import type { InboundConnection } from './inbound-connection.ts';
import { type InboundPeer, peerOf } from './peer.ts';
import type { StreamConnection } from './stream-connection.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { MESH_TLS } from './testing/server-double.ts';
import { TestAuthority, TestIdentity } from './testing/test-authority.ts';

const PORT = 9080;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const CALLER = 'spiffe://cluster.local/ns/default/sa/caller';
const ANY: FilterChainMatch = { destinationPort: 0, serverNames: [], transportProtocol: '', applicationProtocols: [] };

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const http = (name: string, match: Partial<FilterChainMatch> = {}): FilterChain =>
  ({ name, match: { ...ANY, ...match }, tls: undefined, http: { name }, tcp: undefined }) as unknown as FilterChain;
const bytes = (name: string, match: Partial<FilterChainMatch> = {}): FilterChain =>
  ({ name, match: { ...ANY, ...match }, tls: undefined, http: undefined, tcp: {} }) as unknown as FilterChain;
const secured = (chain: FilterChain, tls: object = {}): FilterChain => ({ ...chain, tls: { ...MESH_TLS, ...tls } });

/** What came of a connection. */
type End =
  | { readonly kind: 'admitted'; readonly socket: Duplex; readonly spoken: Spoken; readonly connection: InboundConnection }
  | { readonly kind: 'carried'; readonly connection: StreamConnection }
  | { readonly kind: 'unrouted'; readonly facts: ConnectionFacts; readonly peer: InboundPeer }
  | { readonly kind: 'probe'; readonly raw: Socket }
  | { readonly kind: 'told'; readonly line: string };

interface Setting extends Partial<Omit<ConnectionGateOptions, 'find' | 'snapshots' | 'clock' | 'forwarder'>> {
  readonly probes?: boolean;
  /** Whether there is somebody to carry bytes. */
  readonly carries?: boolean;
  readonly readsProxyProtocol?: boolean;
}

/** A gate on a port of this machine, with what it does in order. */
class Port {
  readonly clock = new FakeClock();
  readonly snapshots = new SnapshotRef();
  readonly gate: ConnectionGate;
  readonly raws: Socket[] = [];
  /** Whoever carries bytes ends their sockets. */
  readonly carried: Socket[] = [];
  private readonly server: Server;
  private readonly ends: End[] = [];
  private readonly chains = new Map<Snapshot, ListenerChains>();
  private readonly proxied: boolean;
  private wake: () => void = () => {};

  static async open(chains: readonly FilterChain[] | undefined, setting: Setting = {}): Promise<Port> {
    const port = new Port(setting);
    if (chains !== undefined) port.swap(...chains);
    port.server.listen(0, '127.0.0.1');
    await once(port.server, 'listening');
    cleanups.push(async () => {
      port.server.close();
      for (const socket of port.carried) socket.destroy();
      await port.gate.close(0);
    });
    return port;
  }

  private constructor({ probes = false, carries = false, readsProxyProtocol = false, ...options }: Setting) {
    this.proxied = readsProxyProtocol;
    const add = (end: End): void => this.add(end);
    this.gate = new ConnectionGate({
      port: PORT,
      find: (snapshot) => this.chains.get(snapshot),
      snapshots: this.snapshots,
      clock: this.clock,
      speaks: ['http2', 'http1'],
      log: (line) => add({ kind: 'told', line }),
      forwarder: {
        unrouted: (facts, peer) => add({ kind: 'unrouted', facts, peer }),
        ...(carries ? { stream: this.carry } : {}),
      },
      ...options,
    });
    if (probes) this.gate.admitProbe = (raw) => add({ kind: 'probe', raw });
    this.server = createServer({ pauseOnConnect: false }, (raw) => {
      this.raws.push(raw);
      this.gate.enter(raw, (socket, spoken, connection) => add({ kind: 'admitted', socket, spoken, connection }));
    });
  }

  private add(end: End): void {
    this.ends.push(end);
    this.wake();
  }

  private readonly carry = (connection: StreamConnection): void => {
    this.carried.push(connection.socket);
    this.add({ kind: 'carried', connection });
  };

  swap(...chains: readonly FilterChain[]): void {
    const snapshot = {} as Snapshot;
    this.chains.set(snapshot, { chains, defaultChain: undefined, readsProxyProtocol: this.proxied });
    this.snapshots.swap(snapshot);
  }

  call(text: string | Buffer = ''): Socket {
    const socket = connect((this.server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    cleanups.push(() => socket.destroy());
    if (text.length > 0) socket.write(text);
    return socket;
  }

  callTls(options: ConnectionOptions = {}, own = true): TLSSocket {
    const { port } = this.server.address() as AddressInfo;
    const shown = own ? authority.issue({ uris: [CALLER] }) : {};
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...shown, ...options });
    socket.on('error', () => {});
    cleanups.push(() => socket.destroy());
    return socket;
  }

  /** The next thing that the gate does. */
  async next<K extends End['kind']>(kind: K): Promise<Extract<End, { kind: K }>> {
    while (this.ends.length === 0)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    const end = this.ends.shift()!;
    expect(end.kind === 'told' ? end.line : end.kind).toEqual(kind === 'told' ? expect.stringMatching(/^port 9080: /) : kind);
    return end as Extract<End, { kind: K }>;
  }

  async told(): Promise<string> {
    return (await this.next('told')).line.replace('port 9080: ', '');
  }

  get quiet(): boolean {
    return this.ends.length === 0;
  }
}

/** `reset`, or `closed` when the other side has ended it in order. */
function endOf(socket: Socket): Promise<'reset' | 'closed'> {
  return new Promise((resolve) => {
    let end: 'reset' | 'closed' = 'closed';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') end = 'reset';
    });
    socket.once('close', () => resolve(end));
    socket.resume();
  });
}

const identity = (): TestIdentity => new TestIdentity(authority, 'spiffe://cluster.local/ns/default/sa/server');

describe('a connection in plain text', () => {
  it.each<[what: string, text: string | Buffer, spoken: Spoken, alpn: string[]]>([
    ['HTTP/1', GET, 'http1', ['http/1.1']],
    ['HTTP/2', PREFACE, 'http2', ['h2c']],
    ['bytes that are neither', Buffer.from([0, 1, 2, 3]), 'http1', []],
  ])('that speaks %s is let in by the chain that takes it', async (_what, text, spoken, alpn) => {
    const port = await Port.open([http('web')]);
    port.call(text);
    const end = await port.next('admitted');
    expect([end.spoken, end.connection.facts]).toEqual([spoken, { port: PORT, tls: false, sni: '', alpn }]);
    const [raw] = port.raws;
    expect([end.socket, end.connection.socket]).toEqual([raw, raw]);
    expect(port.gate.connectionOf(raw!)).toBe(end.connection);
    expect(peerOf({ socket: raw! })).toBe(end.connection.peer);
    const { peer, closing } = end.connection;
    expect([peer.mtls, peer.address, peer.sni, peer.alpn, closing]).toEqual([false, '127.0.0.1', '', '', false]);
  });

  it.each([
    ['web', 'http/1.1', GET],
    ['web', 'h2c', PREFACE],
  ])('is of the chain %s for %s', async (name, protocol, text) => {
    const port = await Port.open([http(name, { applicationProtocols: [protocol] })]);
    port.call(text);
    expect((await port.next('admitted')).connection.currentManager).toEqual({ name });
  });

  it.each<[speaks: Spoken, text: string, why: string]>([
    ['http1', PREFACE, 'HTTP/2'],
    ['http2', GET, 'HTTP/1'],
  ])('to a server of %s alone is reset when it speaks the other', async (speaks, text, what) => {
    const port = await Port.open([http('web')], { speaks: [speaks] });
    const end = endOf(port.call(text));
    expect(await port.told()).toBe(`a connection was refused: it speaks ${what}, which the server of this port does not`);
    expect(await end).toBe('reset');
  });

  it('is reset without a configuration, and nobody asks for it', async () => {
    const port = await Port.open(undefined, { probes: true });
    const end = endOf(port.call(GET));
    expect(await port.told()).toBe('a plaintext connection was refused: no configuration');
    expect([await end, port.quiet]).toEqual(['reset', true]);
  });

  it('is reset where no chain takes it, which who counts it is told', async () => {
    const port = await Port.open([http('other', { destinationPort: 1 })]);
    const end = endOf(port.call(GET));
    const { facts, peer } = await port.next('unrouted');
    expect([facts.port, peer.address, peer.mtls, peer.sni, peer.alpn]).toEqual([PORT, '127.0.0.1', false, '', '']);
    expect(await port.told()).toBe('a plaintext connection was refused: filter_chain_not_found');
    expect(await end).toBe('reset');
  });

  it('is reset by a chain that may let nobody in, which is no missing chain, nor one for probes', async () => {
    const port = await Port.open([{ ...http('web'), refused: 'a filter is not known' }], { probes: true });
    const end = endOf(port.call(GET));
    expect(await port.told()).toBe('a plaintext connection was refused: filter chain web: a filter is not known');
    expect([await end, port.quiet]).toEqual(['reset', true]);
  });

  it('is forgotten when its caller goes without a word', async () => {
    const port = await Port.open([http('web')]);
    const socket = port.call();
    await once(socket, 'connect');
    await expect.poll(() => port.raws.length).toBe(1);
    socket.end();
    await once(port.raws[0]!, 'close');
    expect([port.quiet, port.clock.pending]).toEqual([true, 0]);
  });

  it('says with its next response that it closes once the port drains', async () => {
    const port = await Port.open([http('web')]);
    port.gate.drain();
    port.call(GET);
    expect((await port.next('admitted')).connection.closing).toBe(true);
  });
});

describe('a probe', () => {
  const CLOSED: [string, FilterChain[]][] = [
    ['where no chain takes plain text', [secured(http('mutual', { transportProtocol: 'tls' }))]],
    ['where the chain speaks TLS only', [secured(http('mutual'))]],
  ];

  it.each(CLOSED)('by HTTP/1 may ask %s, once', async (_where, chains) => {
    const port = await Port.open(chains, { probes: true, identity: identity() });
    port.call(GET);
    const { raw } = await port.next('probe');
    expect(port.quiet).toBe(true);
    expect([port.gate.takeProbing(raw), port.gate.takeProbing(raw)]).toEqual([true, false]);
    port.clock.advance(PEEK_TIMEOUT_MS);
    expect(raw.destroyed).toBe(false);
  });

  it.each(CLOSED)('by HTTP/2, or where none is configured, is none: %s', async (_where, chains) => {
    for (const [text, probes] of [
      [PREFACE, true],
      [GET, false],
    ] as const) {
      const port = await Port.open(chains, { probes, identity: identity() });
      const end = endOf(port.call(text));
      if (chains[0]!.match.transportProtocol === 'tls') {
        await port.next('unrouted');
        expect(await port.told()).toBe('a plaintext connection was refused: filter_chain_not_found');
      } else expect(await port.told()).toBe('a plaintext connection was refused: filter chain mutual speaks TLS only');
      expect(await end).toBe('reset');
    }
  });

  it('has 15 s for its head', async () => {
    const port = await Port.open([secured(http('mutual'))], { probes: true, identity: identity() });
    port.call(GET);
    const { raw } = await port.next('probe');
    port.clock.advance(PEEK_TIMEOUT_MS - 1);
    expect(raw.destroyed).toBe(false);
    port.clock.advance(1);
    expect(raw.destroyed).toBe(true);
    const socket = port.call(GET);
    await port.next('probe');
    expect(port.clock.pending).toBe(1);
    socket.destroy();
    port.raws[1]!.resume(); // Who reads nothing does not hear of the end.
    await once(port.raws[1]!, 'close');
    expect(port.clock.pending).toBe(0);
  });
});

describe('a connection behind a proxy', () => {
  it('has the addresses that its header tells, and the port that was called there', async () => {
    const port = await Port.open([http('web', { destinationPort: 443 })], { readsProxyProtocol: true });
    port.call(`PROXY TCP4 1.2.3.4 10.0.0.9 4660 443\r\n${GET}`);
    const { connection } = await port.next('admitted');
    expect([connection.facts.port, connection.peer.address, connection.peer.localPort]).toEqual([443, '1.2.3.4', 443]);
    const lost = await Port.open([http('web', { destinationPort: PORT })], { readsProxyProtocol: true });
    lost.call(`PROXY TCP4 1.2.3.4 10.0.0.9 4660 443\r\n${GET}`);
    expect((await lost.next('unrouted')).peer.address).toBe('1.2.3.4');
  });

  it('is closed when it has no header, however it goes on', async () => {
    const port = await Port.open([http('web')], { readsProxyProtocol: true });
    const end = endOf(port.call(GET));
    expect(await port.told()).toBe('a connection was closed: it does not begin with a header of the PROXY protocol');
    await end;
    expect([port.raws[0]!.destroyed, port.quiet]).toEqual([true, true]);
  });

  it('is not asked for a header where none is agreed on', async () => {
    const port = await Port.open([http('web')]);
    port.call(`PROXY TCP4 1.2.3.4 10.0.0.9 4660 443\r\n${GET}`);
    expect((await port.next('admitted')).connection.peer.address).toBe('127.0.0.1');
  });
});

describe('a connection of bytes', () => {
  it('is carried before its first byte where no byte decides anything: there the server may speak first', async () => {
    const port = await Port.open([bytes('db')], { carries: true });
    port.call();
    const { connection } = await port.next('carried');
    expect([connection.socket, connection.chain.name]).toEqual([port.raws[0], 'db']);
    expect(connection.facts).toEqual({ port: PORT, tls: false, sni: '', alpn: [] });
    expect(port.clock.pending).toBe(0);
  });

  it('is looked at where another chain asks for its bytes', async () => {
    const port = await Port.open([bytes('db'), http('web', { applicationProtocols: ['http/1.1'] })], { carries: true });
    port.call(GET);
    expect((await port.next('admitted')).connection.currentManager).toEqual({ name: 'web' });
    port.call(Buffer.from([0, 1, 2, 3]));
    expect((await port.next('carried')).connection.chain.name).toBe('db');
  });

  it('has the server name of TLS that passes through', async () => {
    const port = await Port.open([bytes('tls', { serverNames: ['shop.example'] })], { carries: true });
    port.callTls({ servername: 'shop.example', ALPNProtocols: ['h2'] });
    const { connection } = await port.next('carried');
    expect([connection.peer.sni, connection.peer.mtls]).toEqual(['shop.example', false]);
    expect(connection.facts).toEqual({ port: PORT, tls: true, sni: 'shop.example', alpn: ['h2'] });
  });

  it('within TLS of the mesh has its caller’s names, and speaks what the chain does but for peer exchange', async () => {
    const alpn = ['istio-peer-exchange', 'istio'];
    const port = await Port.open([secured(bytes('db'), { alpn })], { carries: true, identity: identity() });
    port.callTls({ ALPNProtocols: alpn, servername: 'a.b' });
    const { connection } = await port.next('carried');
    expect([connection.peer.uriSans, connection.peer.sni, connection.peer.alpn]).toEqual([[CALLER], 'a.b', 'istio']);
    expect([connection.socket instanceof TLSSocket, connection.socket === port.raws[0]]).toEqual([true, false]);
    expect((connection.socket as TLSSocket).alpnProtocol).toBe('istio');
  });

  it('is refused where nobody carries bytes', async () => {
    const port = await Port.open([bytes('db')]);
    const end = endOf(port.call(GET));
    expect(await port.told()).toBe('a plaintext connection was refused: filter chain db is TCP, which an HTTP server cannot serve');
    expect(await end).toBe('reset');
  });

  it('is closed when its chain has gone during the handshake', async () => {
    const port: Port = await Port.open([secured(bytes('db'), { acceptsSans: () => gone() })], { carries: true, identity: identity() });
    const gone = (): boolean => {
      port.swap(http('web'));
      return true;
    };
    await endOf(port.callTls({ ALPNProtocols: [] }));
    expect(port.quiet).toBe(true);
  });
});

describe('a connection by TLS of the mesh', () => {
  it.each<[alpn: string, spoken: Spoken]>([
    ['h2', 'http2'],
    ['http/1.1', 'http1'],
  ])('that has chosen %s speaks %s, whatever comes first', async (alpn, spoken) => {
    const port = await Port.open([secured(http('mutual'))], { identity: identity() });
    port.callTls({ ALPNProtocols: ['istio', alpn], servername: 'a.b' });
    const end = await port.next('admitted');
    expect([end.spoken, end.connection.facts]).toEqual([spoken, { port: PORT, tls: true, sni: 'a.b', alpn: ['istio', alpn] }]);
    const { peer } = end.connection;
    expect([peer.uriSans, peer.sni, peer.alpn, peer.spiffeId]).toEqual([[CALLER], 'a.b', alpn, CALLER]);
    expect([end.socket instanceof TLSSocket, port.gate.connectionOf(end.socket as Socket)]).toEqual([true, end.connection]);
  });

  it('chooses of what the server speaks, though more is offered', async () => {
    for (const [speaks, alpn] of [
      ['http1', 'http/1.1'],
      ['http2', 'h2'],
    ] as const) {
      const port = await Port.open([secured(http('mutual'))], { identity: identity(), speaks: [speaks] });
      port.callTls({ ALPNProtocols: ['h2', 'http/1.1'] });
      const { spoken, connection } = await port.next('admitted');
      expect([spoken, connection.peer.alpn]).toEqual([speaks, alpn]);
    }
  });

  it.each<[text: string, spoken: Spoken]>([
    [PREFACE, 'http2'],
    [GET, 'http1'],
  ])('without ALPN speaks what its first bytes say: %s', async (text, spoken) => {
    const port = await Port.open([secured(http('mutual'))], { identity: identity() });
    port.callTls({ ALPNProtocols: ['istio'] }).write(text);
    const end = await port.next('admitted');
    expect([end.spoken, end.connection.peer.alpn]).toEqual([spoken, '']);
  });

  it('without ALPN, whose caller goes before it speaks, is nothing', async () => {
    const port = await Port.open([secured(http('mutual'))], { identity: identity() });
    const socket = port.callTls({ ALPNProtocols: ['istio'] });
    await once(socket, 'secureConnect');
    await expect.poll(() => port.clock.pending).toBe(1);
    socket.end();
    await once(port.raws[0]!, 'close');
    expect([port.quiet, port.clock.pending]).toEqual([true, 0]);
  });

  it('is refused, and it is told why, without a certificate of the mesh', async () => {
    const port = await Port.open([secured(http('mutual'))], { identity: identity() });
    const end = endOf(port.callTls({}, false));
    expect(await port.told()).toBe('a TLS connection was refused: the caller showed no certificate');
    await end;
  });

  it('is refused where the chain takes no TLS', async () => {
    const port = await Port.open([http('web', { transportProtocol: 'raw_buffer' })], { identity: identity() });
    const end = endOf(port.callTls());
    expect((await port.next('unrouted')).facts.tls).toBe(true);
    expect(await port.told()).toBe('a TLS connection was refused: filter_chain_not_found');
    await end;
  });

  it('is closed when its chain has gone during the handshake', async () => {
    const port: Port = await Port.open([secured(http('mutual'), { acceptsSans: () => gone() })], { identity: identity() });
    const gone = (): boolean => {
      port.swap(http('web'));
      return true;
    };
    await endOf(port.callTls({ ALPNProtocols: ['h2'] }));
    expect(port.quiet).toBe(true);
  });

  it('to a server that does not speak its protocol is closed', async () => {
    const port = await Port.open([secured(http('mutual'))], { identity: identity(), speaks: ['http1'] });
    const socket = port.callTls({ ALPNProtocols: ['istio'] });
    socket.write(PREFACE);
    expect(await port.told()).toBe('a connection was refused: it speaks HTTP/2, which the server of this port does not');
    await endOf(socket);
  });
});

describe('a server with TLS of its own', () => {
  /** Takes the raw socket for the secured one: what is judged is the same. */
  const ownTls = (spoken: Spoken, before: () => void = () => {}): ConnectionGateOptions['ownTls'] => ({
    accept: (raw, within) => {
      before();
      within(raw, spoken);
    },
  });
  const mutual = (): FilterChain => secured(http('mutual', { transportProtocol: 'tls', applicationProtocols: ['istio'] }));

  it.each<[spoken: Spoken, alpn: string]>([
    ['http1', 'http/1.1'],
    ['http2', 'h2c'],
  ])('has callers from outside judged as by plain text, %s', async (spoken, alpn) => {
    const plain = http('plain', { transportProtocol: 'raw_buffer', applicationProtocols: [alpn] });
    const port = await Port.open([mutual(), plain], { ownTls: ownTls(spoken), identity: identity() });
    port.callTls({ servername: 'shop.example', ALPNProtocols: ['h2'] });
    const { connection, spoken: admitted } = await port.next('admitted');
    expect([admitted, connection.facts]).toEqual([spoken, { port: PORT, tls: false, sni: '', alpn: [alpn] }]);
    expect([connection.peer.mtls, connection.peer.sni, connection.peer.alpn, connection.peer.spiffeId]).toEqual([false, '', '', undefined]);
    expect(connection.currentManager).toEqual({ name: 'plain' });
  });

  it('has callers of the mesh judged by their certificate', async () => {
    const port = await Port.open([mutual(), http('plain')], { ownTls: ownTls('http1'), identity: identity() });
    port.callTls({ ALPNProtocols: ['istio', 'h2'] });
    expect((await port.next('admitted')).connection.peer.spiffeId).toBe(CALLER);
  });

  it('takes no plain text but for probes', async () => {
    const port = await Port.open([mutual(), http('plain')], { ownTls: ownTls('http1') });
    const end = endOf(port.call(GET));
    expect(await port.told()).toBe('a plaintext connection was refused: the server of this port speaks TLS of its own only');
    expect(await end).toBe('reset');
    const probed = await Port.open([mutual(), http('plain')], { ownTls: ownTls('http1'), probes: true });
    probed.call(GET);
    await probed.next('probe');
    expect(probed.quiet).toBe(true);
  });

  it.each<[what: string, chains: () => FilterChain[]]>([
    ['the mesh alone', () => [mutual()]],
    ['TLS of the mesh for everything', () => [mutual(), secured(http('within', { transportProtocol: 'raw_buffer' }))]],
    ['bytes', () => [mutual(), bytes('db')]],
  ])('takes nobody from outside where the port is for %s', async (_what, chains) => {
    const port = await Port.open(chains(), { ownTls: ownTls('http1'), carries: true, identity: identity() });
    const end = endOf(port.callTls({ ALPNProtocols: ['http/1.1'] }));
    expect(await port.told()).toBe(
      'a TLS connection was refused: it is not of the mesh, and no filter chain takes callers without mutual TLS',
    );
    expect(await end).toBe('reset');
  });

  it('takes nobody by a protocol for which there is no chain, nor when the chain has gone meanwhile', async () => {
    const h2c = http('plain', { applicationProtocols: ['h2c'] });
    const one = await Port.open([mutual(), h2c], { ownTls: ownTls('http1'), identity: identity() });
    await endOf(one.callTls({ ALPNProtocols: ['h2'] }));
    expect(one.quiet).toBe(true);
    const two: Port = await Port.open([mutual(), http('plain')], {
      ownTls: ownTls('http1', () => two.swap(mutual())),
      identity: identity(),
    });
    await endOf(two.callTls({ ALPNProtocols: ['h2'] }));
    expect(two.quiet).toBe(true);
  });
});

describe('a caller that has abused a connection', () => {
  it('is let in late by HTTP/2, and counted more closely; by HTTP/1 as others', async () => {
    const port = await Port.open([http('web')]);
    port.gate.suspects.add({ uriSans: [], address: '127.0.0.1' });
    port.call(GET);
    expect((await port.next('admitted')).connection.suspect).toBe(false);
    port.call(PREFACE);
    await expect.poll(() => port.gate.connectionOf(port.raws[1]!)?.suspect).toBe(true);
    expect(port.quiet).toBe(true);
    port.clock.advance(250);
    expect((await port.next('admitted')).socket).toBeInstanceOf(MeteredSocket);
  });

  it('that goes while it waits is waited for no longer', async () => {
    const port = await Port.open([http('web')]);
    port.gate.suspects.add({ uriSans: [], address: '127.0.0.1' });
    const before = port.clock.pending;
    const socket = port.call(PREFACE);
    await expect.poll(() => port.gate.connectionOf(port.raws[0]!)).toBeDefined();
    port.raws[0]!.resume();
    socket.destroy();
    await once(port.raws[0]!, 'close');
    expect([port.quiet, port.clock.pending]).toEqual([true, before]);
  });

  it('with too many connections that wait is refused', async () => {
    const port = await Port.open([http('web')]);
    port.gate.suspects.add({ uriSans: [], address: '127.0.0.1' });
    while (port.gate.suspects.waitOf({ uriSans: [], address: '127.0.0.1' }) !== undefined);
    await endOf(port.call(PREFACE));
    expect(port.quiet).toBe(true);
  });
});

describe('the log of a port', () => {
  it('has each reason once, a hundred at most, printable and cut off', async () => {
    const port = await Port.open([]);
    const refuse = async (refused: string): Promise<void> => {
      port.swap({ ...http('web'), refused });
      await endOf(port.call(GET));
    };
    await refuse(`a\n\u001b[1m${'x'.repeat(2_000)}`);
    const line = await port.told();
    expect(line).toMatch(/^a plaintext connection was refused: filter chain web: a\?\?\[1mx+$/);
    expect(line).toHaveLength(1_000);
    await refuse('again');
    await refuse('again');
    expect(await port.told()).toContain('again');
    expect(port.quiet).toBe(true);
    for (let count = 3; count <= 101; count++) await refuse(`reason ${count}`);
    for (let count = 3; count <= 100; count++) expect(await port.told()).toContain(`reason ${count}`);
    expect(port.quiet).toBe(true);
  });

  it('need not be there', async () => {
    const port = await Port.open([], { log: undefined });
    await endOf(port.call(GET));
    await port.next('unrouted');
    expect(port.quiet).toBe(true);
  });
});
