import { createHash, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createPeer, introduce, peerOf } from './peer.ts';
import { isPinned, type PeerNames, readPeerNames, refusalOf, splitSubjectAltName } from './peer-certificate.ts';
import { TestAuthority } from './testing/test-authority.ts';

const ID = 'spiffe://cluster.local/ns/default/sa/web';
const NAMES: PeerNames = { uriSans: [ID], dnsSans: ['web'], subject: 'CN=web', hash: 'abc', pem: 'PEM', chainPem: () => 'PEMCA' };
const socket = (more: Partial<Socket> = {}): Socket =>
  ({ remoteAddress: '10.0.0.9', remotePort: 5, localAddress: '10.0.0.1', localPort: 80, ...more }) as Socket;

describe('the peer of a connection', () => {
  it('has the names of its certificate', () => {
    expect(createPeer(socket(), NAMES, 'sni', 'h2', { shownUriSan: 'spiffe://shown', shownName: 'name' })).toEqual({
      address: '10.0.0.9',
      port: 5,
      localAddress: '10.0.0.1',
      localPort: 80,
      mtls: true,
      uriSans: [ID],
      dnsSans: ['web'],
      subject: 'CN=web',
      certificateHash: 'abc',
      certificatePem: 'PEM',
      certificateChainPem: NAMES.chainPem,
      shownUriSan: 'spiffe://shown',
      shownName: 'name',
      sni: 'sni',
      alpn: 'h2',
      spiffeId: ID,
      principal: 'cluster.local/ns/default/sa/web',
    });
  });

  it('has none over plain text, and no address where the socket has gone', () => {
    expect(createPeer({} as Socket, undefined, '', '')).toEqual({
      address: '',
      port: 0,
      localAddress: '',
      localPort: 0,
      mtls: false,
      uriSans: [],
      dnsSans: [],
      subject: '',
      certificateHash: '',
      sni: '',
      alpn: '',
      spiffeId: undefined,
      principal: undefined,
    });
  });

  it.each([
    [['https://a', ID], undefined],
    [['xspiffe://a'], undefined],
    [[], undefined],
    [[ID, 'spiffe://b'], ID],
  ])('of the URIs %j is %s', (uriSans, spiffeId) => {
    expect(createPeer(socket(), { ...NAMES, uriSans }, '', '').spiffeId).toBe(spiffeId);
  });

  it.each([
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::ffff:1:2', '::ffff:1:2'],
    ['1.2.3.4', '1.2.3.4'],
    ['::1', '::1'],
  ])('at %s is at %s', (remoteAddress, address) => {
    expect(createPeer(socket({ remoteAddress, localAddress: remoteAddress }), undefined, '', '')).toMatchObject({
      address,
      localAddress: address,
    });
  });

  it('is found by its requests: by socket, or by session of HTTP/2', () => {
    const [one, other] = [socket(), socket()];
    const [session, peer, h2] = [{}, createPeer(one, undefined, '', ''), createPeer(other, NAMES, '', '')];
    introduce(one, peer);
    introduce(session, h2);
    expect(peerOf({ socket: one })).toBe(peer);
    expect(peerOf({ stream: { session } })).toBe(h2);
    expect(peerOf({ socket: one, stream: { session } })).toBe(h2);
    expect(peerOf({ socket: one, stream: { session: null } })).toBe(peer);
    expect(peerOf({ socket: one, stream: {} })).toBe(peer);
    for (const nobody of [{}, { socket: null }, { socket: other }, { stream: { session: {} } }]) expect(peerOf(nobody)).toBeUndefined();
  });
});

describe('the names of a certificate', () => {
  it.each<[text: string | undefined, uris: readonly string[], dns: readonly string[]]>([
    [undefined, [], []],
    ['', [], []],
    ['URI:a', ['a'], []],
    ['DNS:a, URI:b, DNS:c, IP Address:1.2.3.4, email:x@y', ['b'], ['a', 'c']],
    ['URI:"a, DNS:b"', ['a, DNS:b'], []],
    ['URI:"a\\"b, c", DNS:d', ['a"b, c'], ['d']],
    ['DNS:"a\\u0000b"', [], ['a\0b']],
    ['URI:spiffe://a:1/b', ['spiffe://a:1/b'], []],
    ['xURI:a, xDNS:b', [], []],
  ])('in %j are %j and %j', (text, uris, dns) => {
    expect(splitSubjectAltName(text)).toEqual({ uris, dns });
  });

  it('are read once, with its hash and its text', () => {
    const authority = new TestAuthority();
    const certificate = new X509Certificate(authority.issue({ uris: [ID], dns: ['web.test'] }).cert as string);
    expect(readPeerNames(certificate, authority.certificatePem)).toEqual({
      uriSans: [ID],
      dnsSans: ['web.test'],
      subject: '',
      hash: createHash('sha256').update(certificate.raw).digest('hex'),
      pem: certificate.toString(),
      chainPem: expect.any(Function),
    });
    const named = { subjectAltName: undefined, subject: 'C=a\nO=b\nCN=c', fingerprint256: 'AB:CD', toString: () => 'PEM' };
    expect(readPeerNames(named as unknown as X509Certificate, '')).toMatchObject({ subject: 'CN=c,O=b,C=a', hash: 'abcd', pem: 'PEM' });
  });

  it('come with the chain that was sent, and never with a part of one', () => {
    const [authority, between, other] = [new TestAuthority(), new TestAuthority(), new TestAuthority()];
    const chainOf = (certificate: X509Certificate, bundle: string): string | undefined => readPeerNames(certificate, bundle).chainPem();
    const leaf = (of: TestAuthority): X509Certificate => new X509Certificate(of.issue({ uris: [ID] }).cert);
    const alone = leaf(authority);
    expect([chainOf(alone, authority.certificatePem), chainOf(alone, other.certificatePem)]).toEqual([alone.toString(), undefined]);
    // As node:tls shows a chain: each certificate has the next one as its issuer.
    const sent = leaf(between);
    Object.defineProperty(sent, 'issuerCertificate', { value: new X509Certificate(between.certificatePem) });
    expect(chainOf(sent, between.certificatePem)).toBe(sent.toString() + new X509Certificate(between.certificatePem).toString());
  });

  it('may be pinned by certificate or by key', () => {
    const certificate = new X509Certificate(new TestAuthority().issue({ uris: [ID] }).cert as string);
    const hash = createHash('sha256').update(certificate.raw).digest('hex');
    const key = createHash('sha256')
      .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64');
    const pins = (certificates: string[], publicKeys: string[]) => ({
      certificates: new Set(certificates),
      publicKeys: new Set(publicKeys),
    });
    expect(isPinned(certificate, pins([hash], []))).toBe(true);
    expect(isPinned(certificate, pins(['x'], [key]))).toBe(true);
    expect(isPinned(certificate, pins(['x'], ['y']))).toBe(false);
    expect(isPinned(certificate, pins([], []))).toBe(false);
    expect(isPinned(certificate, pins([key], [hash]))).toBe(false);
  });
});

describe('a certificate that the roots vouch for', () => {
  const refusal = (more: Partial<PeerNames>, ca = false): string | undefined => refusalOf({ ca } as X509Certificate, { ...NAMES, ...more });

  it.each(['spiffe://td', 'spiffe://a-b_c.d/ns/A/sa/b.c-d_e', ID, `spiffe://a/${'b'.repeat(2048 - 'spiffe://a/'.length)}`])(
    'may speak as %s',
    (id) => {
      expect(refusal({ uriSans: [id] })).toBeUndefined();
    },
  );

  it.each([
    'https://a/b',
    'spiffe://',
    'spiffe://A/b',
    'spiffe://a/',
    'spiffe://a//b',
    'spiffe://a/b?c',
    'spiffe://a/b#c',
    'spiffe://a:1/b',
    'spiffe://a/%41',
    'xspiffe://a/b',
    'spiffe://a/b\n',
    `spiffe://a/${'b'.repeat(2049 - 'spiffe://a/'.length)}`,
  ])('may not speak as %j', (id) => {
    expect(refusal({ uriSans: [id] })).toBe('a URI SAN that is no SPIFFE id');
  });

  it('speaks for one identity, is no CA, and has no hidden characters', () => {
    expect(refusal({})).toBeUndefined();
    expect(refusal({ uriSans: [], dnsSans: ['a', 'b'] })).toBeUndefined();
    expect(refusal({}, true)).toBe('a CA certificate as a leaf');
    expect(refusal({ uriSans: [ID, ID] })).toBe('more than one URI SAN');
    for (const hidden of ['a\0b', 'a\nb', '\x7f']) expect(refusal({ dnsSans: ['a', hidden] })).toBe('a control character in a DNS SAN');
  });
});
