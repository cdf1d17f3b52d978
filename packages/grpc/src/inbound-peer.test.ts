import { createHash, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createKeyPair, createSelfSignedRoot, issueCertificate } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { namesOfCertificate, peerOfSocket, refusalOf } from './inbound-peer.ts';

const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 60_000 };
const root = createSelfSignedRoot({ organization: 'root', ...times });
const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
const ID = 'spiffe://cluster.local/ns/default/sa/web';

function leaf(names: Parameters<typeof issueCertificate>[1]['names'], more: { organization?: string } = {}): X509Certificate {
  return new X509Certificate(issueCertificate(issuer, { publicKey: createKeyPair().publicKey, names, ...times, ...more }));
}

const WEB = leaf({ uris: [ID], dns: ['web.test'] }, { organization: 'x' });

describe('the names of a caller', () => {
  it('are those of its certificate', () => {
    expect(namesOfCertificate(WEB)).toEqual({
      mtls: true,
      uriSans: [ID],
      dnsSans: ['web.test'],
      subject: 'O=x',
      certificateHash: createHash('sha256').update(WEB.raw).digest('hex'),
      certificatePem: WEB.toString(),
    });
    expect(namesOfCertificate(leaf({ uris: [ID] })).subject).toBe('');
    expect(namesOfCertificate({ ...fields(WEB), subject: 'C=DE\nO=x\nCN=a' } as X509Certificate).subject).toBe('CN=a,O=x,C=DE');
  });

  it.each<[what: string, names: { uriSans?: string[]; dnsSans?: string[] }, refusal: string | undefined]>([
    ['one id', { uriSans: [ID] }, undefined],
    ['none', {}, undefined],
    ['hosts', { dnsSans: ['a', 'b'] }, undefined],
    ['a trust domain alone', { uriSans: ['spiffe://a.b_c-d'] }, undefined],
    ['two ids', { uriSans: [ID, ID] }, 'more than one URI SAN'],
    ['another URI', { uriSans: ['https://a/b'] }, 'a URI SAN that is no SPIFFE id'],
    ['an id behind something', { uriSans: [`x${ID}`] }, 'a URI SAN that is no SPIFFE id'],
    ['an id with a query', { uriSans: [`${ID}?a`] }, 'a URI SAN that is no SPIFFE id'],
    ['an id with an empty segment', { uriSans: ['spiffe://a//b'] }, 'a URI SAN that is no SPIFFE id'],
    ['an id in another case', { uriSans: ['spiffe://A/b'] }, 'a URI SAN that is no SPIFFE id'],
    ['an id of 2048 bytes', { uriSans: [`spiffe://a/${'b'.repeat(2037)}`] }, undefined],
    ['an id of 2049 bytes', { uriSans: [`spiffe://a/${'b'.repeat(2038)}`] }, 'a URI SAN that is no SPIFFE id'],
    ['a host with a control character', { dnsSans: ['a', 'a\u0000b'] }, 'a control character in a DNS SAN'],
  ])('with %s are refused by the rules of SPIFFE: %#', (_what, names, refusal) => {
    expect(refusalOf(WEB, { ...namesOfCertificate(WEB), uriSans: [], dnsSans: [], ...names })).toBe(refusal);
  });

  it('of a CA are refused', () => {
    const ca = new X509Certificate(root.certificatePem);
    expect(refusalOf(ca, namesOfCertificate(ca))).toBe('a CA certificate as a leaf');
  });
});

/** The fields of a certificate are getters of its class. */
function fields({ subjectAltName, raw }: X509Certificate): object {
  return { subjectAltName, raw };
}

describe('where a caller comes from', () => {
  it.each([
    ['10.0.0.9', '10.0.0.9'],
    ['::ffff:10.0.0.9', '10.0.0.9'],
    ['::ffff:a00:9', '::ffff:a00:9'],
    ['2001:db8::1.2.3.4', '2001:db8::1.2.3.4'],
    ['::1', '::1'],
    [undefined, ''],
  ])('%s is %s', (address, plain) => {
    const socket = { remoteAddress: address, remotePort: 5, localAddress: address, localPort: 80 } as Socket;
    expect(peerOfSocket(socket, undefined, 'sni', 'h2')).toMatchObject({
      mtls: false,
      address: plain,
      port: 5,
      localAddress: plain,
      localPort: 80,
      sni: 'sni',
      alpn: 'h2',
    });
  });

  it('is nowhere once the socket is gone', () => {
    expect(peerOfSocket({} as Socket, namesOfCertificate(WEB), '', '')).toMatchObject({ mtls: true, uriSans: [ID], port: 0, localPort: 0 });
  });
});
