import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { DownstreamTls, FilterChain, FilterChainMatch, TlsSecrets } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { chooseChain, chooseHttpChain, fits, isHttp, looksAtBytes } from './chain-choice.ts';
import { createPeer } from './peer.ts';
import { readPeerNames } from './peer-certificate.ts';
import { TestAuthority } from './testing/test-authority.ts';

const ANY: FilterChainMatch = { destinationPort: 0, serverNames: [], transportProtocol: '', applicationProtocols: [] };
const ID = 'spiffe://cluster.local/ns/default/sa/web';

interface Parts {
  readonly match?: Partial<FilterChainMatch>;
  readonly tls?: Partial<DownstreamTls> | undefined;
  readonly refused?: string;
}

function chain(name: string, carries: 'http' | 'tcp' | 'nothing', { match, tls, refused }: Parts = {}): FilterChain {
  return {
    name,
    match: { ...ANY, ...match },
    tls: tls && ({ requireClientCertificate: false, acceptsSans: () => true, validationName: 'ROOTCA', ...tls } as DownstreamTls),
    http: carries === 'http' ? {} : undefined,
    tcp: carries === 'tcp' ? {} : undefined,
    ...(refused === undefined ? {} : { refused }),
  } as FilterChain;
}

describe('the chain of a connection', () => {
  const facts = { port: 80, tls: false, sni: '', alpn: ['http/1.1'] };
  const http = chain('web', 'http');
  const tcp = chain('bytes', 'tcp');
  const elsewhere = chain('elsewhere', 'http', { match: { destinationPort: 81 } });

  it('is the one that matches, else the default one', () => {
    expect(chooseChain({ chains: [elsewhere, http], defaultChain: tcp }, facts, true)).toBe(http);
    expect(chooseChain({ chains: [elsewhere], defaultChain: http }, facts, false)).toBe(http);
  });

  it('is none where no chain matches, or the listener is gone', () => {
    expect(chooseChain({ chains: [elsewhere], defaultChain: undefined }, facts, true)).toBe('filter_chain_not_found');
    expect(chooseChain(undefined, facts, true)).toBe('filter_chain_not_found');
  });

  it('is none when it may let nobody in, whatever it carries', () => {
    const refused = chain('web', 'http', { refused: 'an authorization that is not known' });
    expect(chooseChain({ chains: [refused], defaultChain: http }, facts, true)).toBe(
      'filter chain web: an authorization that is not known',
    );
  });

  it('of requests is none of bytes', () => {
    expect(chooseHttpChain({ chains: [elsewhere, http], defaultChain: tcp }, facts)).toBe(http);
    expect(chooseHttpChain({ chains: [elsewhere], defaultChain: tcp }, facts)).toBeUndefined();
  });

  it('may be one of bytes where somebody carries them', () => {
    const why = (name: string): string => `filter chain ${name} is TCP, which an HTTP server cannot serve`;
    expect(chooseChain({ chains: [tcp], defaultChain: undefined }, facts, true)).toBe(tcp);
    expect(chooseChain({ chains: [tcp], defaultChain: undefined }, facts, false)).toBe(why('bytes'));
    const nothing = chain('nothing', 'nothing');
    expect(chooseChain({ chains: [nothing], defaultChain: undefined }, facts, true)).toBe(why('nothing'));
    expect([http, tcp].map((one) => isHttp(one as Parameters<typeof isHttp>[0]))).toEqual([true, false]);
  });
});

describe('the first bytes of a connection', () => {
  it.each<[what: string, decides: boolean, one: FilterChain]>([
    ['requests', true, chain('a', 'http')],
    ['TLS', true, chain('a', 'tcp', { tls: {} })],
    ['a server name', true, chain('a', 'tcp', { match: { serverNames: ['a'] } })],
    ['an ALPN protocol', true, chain('a', 'tcp', { match: { applicationProtocols: ['istio'] } })],
    ['a transport', true, chain('a', 'tcp', { match: { transportProtocol: 'tls' } })],
    ['nothing but a port', false, chain('a', 'tcp', { match: { destinationPort: 1 } })],
  ])('of a chain that asks for %s decide something: %s', (_what, decides, one) => {
    const plain = chain('plain', 'tcp');
    expect(looksAtBytes({ chains: [plain, one], defaultChain: undefined })).toBe(decides);
    expect(looksAtBytes({ chains: [plain], defaultChain: one })).toBe(decides);
    expect(looksAtBytes({ chains: [], defaultChain: undefined })).toBe(false);
  });
});

describe('a connection that was let in, when the configuration has changed,', () => {
  const [authority, other] = [new TestAuthority(), new TestAuthority()];
  const leaf = new X509Certificate(authority.issue({ uris: [ID], dns: ['web'] }).cert);
  const print = leaf.fingerprint256.replaceAll(':', '').toLowerCase();
  const secrets = (trustBundlePem: string): TlsSecrets => ({ keyPairs: [], trustBundlePem, revokedPem: '', missing: '' });
  const ends = { remoteAddress: '10.0.0.9', remotePort: 5, localAddress: '10.0.0.1', localPort: 80 };
  const socket = (certificate?: X509Certificate): Socket => ({ ...ends, getPeerX509Certificate: () => certificate }) as unknown as Socket;
  const plain = { socket: socket(), terminated: false, peer: createPeer(socket(), undefined, '', '') };
  const anonymous = { ...plain, terminated: true };
  const known = { socket: socket(leaf), terminated: true, peer: createPeer(socket(), readPeerNames(leaf, ''), '', '') };
  /** Whether it would be let in now. */
  const still = (letIn: Parameters<typeof fits>[0], before: Partial<DownstreamTls> | undefined, now: Partial<DownstreamTls> | undefined) =>
    fits(letIn, chain('before', 'http', { tls: before }).tls, chain('now', 'http', { tls: now }));

  it('stays while the transport is the same', () => {
    expect([still(plain, undefined, undefined), still(plain, undefined, {}), still(known, {}, undefined)]).toEqual([true, false, false]);
    expect(still(known, {}, {})).toBe(true);
  });

  it('without a certificate stays while none is asked for', () => {
    expect([still(anonymous, {}, {}), still(anonymous, {}, { requireClientCertificate: true })]).toEqual([true, false]);
    expect(still(anonymous, {}, { acceptsSans: () => false })).toBe(true);
    expect(still(known, {}, { requireClientCertificate: true })).toBe(true);
  });

  it('stays while its names are accepted', () => {
    const asked: (readonly string[])[] = [];
    const acceptsSans = (...names: readonly (readonly string[])[]): boolean => asked.push(...names) > 2;
    expect([still(known, {}, { acceptsSans }), still(known, {}, { acceptsSans })]).toEqual([false, true]);
    expect(asked.slice(0, 2)).toEqual([[ID], ['web']]);
  });

  it('stays while its certificate is one of those that are pinned', () => {
    const pins = (...certificates: string[]): Partial<DownstreamTls> => ({
      pins: { certificates: new Set(certificates), publicKeys: new Set() },
    });
    expect([still(known, {}, pins(print)), still(known, {}, pins('00'))]).toEqual([true, false]);
    expect(still({ ...known, socket: socket() }, {}, pins(print))).toBe(false);
  });

  it('stays while its certificate ends in the bundle that came with the configuration', () => {
    const of = (bundle: string): Partial<DownstreamTls> => ({ validationName: 'roots', secrets: secrets(bundle) });
    const [own, both, strange] = [
      of(authority.certificatePem),
      of(other.certificatePem + authority.certificatePem),
      of(other.certificatePem),
    ];
    expect([still(known, own, own), still(known, own, both), still(known, own, strange)]).toEqual([true, true, false]);
    // Nobody looks at a certificate again whose bundle is the one that verified it.
    expect(still({ ...known, socket: socket() }, own, own)).toBe(true);
    expect(still({ ...known, socket: socket() }, own, both)).toBe(false);
  });

  it('comes again, to be verified, when another kind of bundle judges it', () => {
    const own = { validationName: 'roots', secrets: secrets(authority.certificatePem) };
    expect(still(known, own, { validationName: 'ROOTCA' })).toBe(false);
    expect(still(known, undefined, { validationName: 'ROOTCA' })).toBe(false);
    expect(still(known, { validationName: 'ROOTCA' }, own)).toBe(true);
    expect(still(known, { validationName: 'ROOTCA' }, { ...own, secrets: secrets(other.certificatePem) })).toBe(false);
    // The names are the same, and what stands behind them is not.
    expect(still(known, { validationName: 'roots' }, { ...own, secrets: secrets(other.certificatePem) })).toBe(false);
  });

  it('is judged by pins and bundle together', () => {
    const pins = { certificates: new Set([print]), publicKeys: new Set<string>() };
    const of = (bundle: string): Partial<DownstreamTls> => ({ validationName: 'roots', secrets: secrets(bundle), pins });
    const own = of(authority.certificatePem);
    expect([still(known, own, own), still(known, own, of(other.certificatePem))]).toEqual([true, false]);
    expect(still(known, own, { ...own, pins: { ...pins, certificates: new Set(['00']) } })).toBe(false);
  });
});
