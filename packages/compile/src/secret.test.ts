import { inspect } from 'node:util';
import type { DownstreamTls, TlsKeyPair } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, privateKeyPem } from '@ripstop/pki';
import { fromProtoJson, Secret } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { bindSecrets, decodeSecret, isServed, type SecretState, type SecretValue, secretNames } from './secret.ts';

const root = createSelfSignedRoot({ organization: 'test', notBeforeMs: 0, notAfterMs: 1e12 });
const CERTIFICATE = root.certificatePem;
const PRIVATE_KEY = privateKeyPem(root.keyPair.privateKey);
const OTHER_KEY = privateKeyPem(createKeyPair().privateKey);

const encode = (secret: object): Uint8Array => Secret.encode(fromProtoJson(Secret, secret)).finish();
const pairOf = (certificate: object, key: object): Uint8Array =>
  encode({ tls_certificate: { certificate_chain: certificate, private_key: key } });
const inline = (text: string): object => ({ inline_string: text });

const PAIR = decodeSecret(pairOf(inline(CERTIFICATE), inline(PRIVATE_KEY))) as SecretValue & TlsKeyPair;
const TRUST = decodeSecret(encode({ validation_context: { trusted_ca: inline(CERTIFICATE) } }));

describe('a secret that came over SDS', () => {
  it.each([
    ['text', inline(CERTIFICATE), inline(PRIVATE_KEY)],
    ['bytes', { inline_bytes: Buffer.from(CERTIFICATE).toString('base64') }, { inline_bytes: Buffer.from(PRIVATE_KEY).toString('base64') }],
  ])('is a certificate with its key, given as %s', (_form, certificate, key) => {
    expect(decodeSecret(pairOf(certificate, key))).toMatchObject({
      kind: 'keyPair',
      certificateChainPem: CERTIFICATE,
      privateKeyPem: PRIVATE_KEY,
    });
  });

  it('shows its key to nobody who prints, spreads or serializes it', () => {
    const seen = [
      JSON.stringify(PAIR),
      inspect(PAIR, { depth: null, showHidden: true }),
      JSON.stringify({ ...PAIR }),
      Object.keys(PAIR).join(),
    ];
    for (const text of seen) expect(text).not.toMatch(/PRIVATE KEY/);
  });

  it.each([
    ['with a list of revoked certificates', { crl: inline('revoked') }, 'revoked'],
    ['without one', {}, ''],
  ])('is a bundle of callers %s', (_what, rest, revokedPem) => {
    expect(decodeSecret(encode({ validation_context: { trusted_ca: inline(CERTIFICATE), ...rest } }))).toEqual({
      kind: 'trust',
      trustBundlePem: CERTIFICATE,
      revokedPem,
    });
  });

  it.each([
    ['a certificate that is none', pairOf(inline('hidden-value'), inline(PRIVATE_KEY)), 'it holds no certificate in PEM'],
    ['no certificate', pairOf({}, inline(PRIVATE_KEY)), 'it holds no certificate in PEM'],
    ['a key that is none', pairOf(inline(CERTIFICATE), inline('hidden-value')), 'its private key is not PEM'],
    ['no key', encode({ tls_certificate: { certificate_chain: inline(CERTIFICATE) } }), 'its private key is not PEM'],
    ['the key of another certificate', pairOf(inline(CERTIFICATE), inline(OTHER_KEY)), 'its private key belongs to another certificate'],
    [
      'a bundle that is none',
      encode({ validation_context: { trusted_ca: inline('hidden-value') } }),
      'the bundle of callers holds no certificate in PEM',
    ],
    ['an empty bundle', encode({ validation_context: {} }), 'the bundle of callers holds no certificate in PEM'],
    ['a file of this machine', pairOf({ filename: '/etc/hidden-value' }, inline(PRIVATE_KEY)), 'a secret by filename is not supported'],
    ['ticket keys', encode({ session_ticket_keys: { keys: [] } }), 'a secret of kind sessionTicketKeys is not supported'],
    ['nothing', encode({ name: 'x' }), 'a secret of kind nothing is not supported'],
  ])('is refused when it is %s, without a word of what it holds', (_what, body, reason) => {
    expect(() => decodeSecret(body)).toThrow(reason);
    expect(() => decodeSecret(body)).not.toThrow('hidden-value');
  });
});

const TLS = {
  certificateName: 'kubernetes://a',
  otherCertificateNames: ['kubernetes://b'],
  validationName: 'kubernetes://a-cacert',
} as unknown as DownstreamTls;

describe('secrets of a chain', () => {
  it.each([
    ['kubernetes://a', true],
    ['default-x', true],
    ['xROOTCA', true],
    ['ROOTCA-x', true],
    ['xfile-cert:a', true],
    ['', false],
    ['default', false],
    ['ROOTCA', false],
    ['file-cert:a~b', false],
    ['file-root:a', false],
    ['invalid://x', false],
  ])('%j is served by the control plane: %s', (name, served) => {
    expect(isServed(name)).toBe(served);
  });

  it('are those of its names that the control plane serves', () => {
    expect(secretNames(undefined)).toEqual([]);
    expect(secretNames(TLS)).toEqual(['kubernetes://a', 'kubernetes://b', 'kubernetes://a-cacert']);
    expect(secretNames({ certificateName: 'default', validationName: 'kubernetes://x' } as DownstreamTls)).toEqual(['kubernetes://x']);
  });

  const bound = (states: Record<string, SecretState>) => bindSecrets(TLS, new Map(Object.entries(states))).secrets;

  it('are what came; a chain that needs none stays as it is', () => {
    expect(bindSecrets(TLS, new Map())).toBe(TLS);
    expect(bound({ 'kubernetes://a': PAIR, 'kubernetes://b': PAIR, 'kubernetes://a-cacert': TRUST })).toEqual({
      keyPairs: [PAIR, PAIR],
      trustBundlePem: CERTIFICATE,
      revokedPem: '',
      missing: '',
    });
    expect(bindSecrets(TLS, new Map([['kubernetes://a', PAIR]]))).toMatchObject({
      certificateName: 'kubernetes://a',
      secrets: { trustBundlePem: '' },
    });
  });

  it.each([
    [
      'has not come',
      { 'kubernetes://a': 'waiting' },
      'the certificate kubernetes://a has not come from the control plane; it is never kept on disk',
    ],
    ['is nobody’s', { 'kubernetes://a-cacert': 'absent' }, 'the control plane gives no bundle of callers kubernetes://a-cacert: '],
    ['is a bundle where a certificate is due', { 'kubernetes://a': TRUST }, 'kubernetes://a is no certificate'],
    ['is a certificate where a bundle is due', { 'kubernetes://a-cacert': PAIR }, 'kubernetes://a-cacert is no bundle of callers'],
    [
      'is one of two that are missing',
      { 'kubernetes://a': 'waiting', 'kubernetes://b': 'absent' },
      'never kept on disk; the control plane gives no certificate kubernetes://b',
    ],
  ] as [string, Record<string, SecretState>, string][])('are missing with a reason when one %s', (_what, states, reason) => {
    expect(bound(states)?.missing).toContain(reason);
    expect(bound(states)).toMatchObject({ trustBundlePem: '', revokedPem: '' });
  });

  it('with a list of revoked certificates, refuse those', () => {
    const trust: SecretValue = { kind: 'trust', trustBundlePem: 'roots', revokedPem: 'revoked' };
    expect(bound({ 'kubernetes://a-cacert': trust })).toMatchObject({
      trustBundlePem: 'roots',
      revokedPem: 'revoked',
      keyPairs: [],
      missing: '',
    });
  });
});
