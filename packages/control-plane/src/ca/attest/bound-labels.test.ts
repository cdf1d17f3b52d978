import { X509Certificate } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import { createCsr, createKeyPair, fromPem } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { createCertificateAuthority } from '../certificate-authority.ts';
import { createTokenIssuer } from '../token-issuer.ts';
import { Attestation } from './attestation.ts';

const LABELS = { app: 'web', version: 'v1' };
const ACCOUNT = { namespace: 'default', serviceAccount: 'web' };
const SPIFFE_ID = 'spiffe://cluster.local/ns/default/sa/web';

const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now: Date.now });
const tokens = createTokenIssuer({});
const attestation = new Attestation({ trustDomain: 'cluster.local', tokens, trusts: (certificate) => ca.trusts(certificate) });

function leaf(labels?: Readonly<Record<string, string>>): X509Certificate {
  const keys = createKeyPair();
  const { chain } = ca.issue(createCsr(keys, { uris: [SPIFFE_ID] }), SPIFFE_ID, 3600, labels);
  return new X509Certificate(fromPem(chain[0]!, 'CERTIFICATE')[0]!);
}

function account(proof: { readonly token?: string; readonly certificate?: X509Certificate }) {
  const metadata = new grpc.Metadata();
  if (proof.token !== undefined) metadata.set('authorization', `Bearer ${proof.token}`);
  const { certificate } = proof;
  const sslPeerCertificate = certificate === undefined ? undefined : { raw: certificate.raw, subjectaltname: certificate.subjectAltName };
  return attestation.account({ metadata, getAuthContext: () => ({ sslPeerCertificate }) as never });
}

const token = (labels?: Readonly<Record<string, string>>): string => tokens.issue({ ...ACCOUNT, labels, ttlSeconds: 60 });

describe('labels that a token binds', () => {
  it('hold for whoever comes with it', async () => {
    expect(await account({ token: token(LABELS) })).toEqual({ ...ACCOUNT, labels: LABELS });
    expect(await account({ token: token() })).toEqual(ACCOUNT);
  });

  it('go on in the certificate that it gets, and in those after that', async () => {
    expect(await account({ certificate: leaf(LABELS) })).toEqual({ ...ACCOUNT, labels: LABELS });
    expect(await account({ certificate: leaf() })).toEqual(ACCOUNT);
    expect(await account({ certificate: leaf(LABELS), token: token(LABELS) })).toEqual({ ...ACCOUNT, labels: LABELS });
  });

  it('are the same in any order', async () => {
    const reversed = Object.fromEntries(Object.entries(LABELS).reverse());
    expect(await account({ certificate: leaf(LABELS), token: token(reversed) })).toEqual({ ...ACCOUNT, labels: LABELS });
  });

  it('are not got rid of by another token, nor by a certificate without', async () => {
    await expect(account({ certificate: leaf(LABELS), token: token() })).rejects.toThrow(
      'the token is bound to no labels, the certificate to labels app=web,version=v1',
    );
    await expect(account({ certificate: leaf(), token: token(LABELS) })).rejects.toThrow('the certificate to no labels');
  });

  it.each([['text'], [{ app: 1 }], [null]])('that cannot be read let nobody in: %j', async (labels) => {
    const certificate = leaf(labels as never);
    await expect(account({ certificate })).rejects.toThrow('the labels of the certificate cannot be read');
    await expect(account({ certificate, token: token(LABELS) })).rejects.toThrow();
  });

  it('leave a certificate that other programs take: its name is as ever', () => {
    const certificate = leaf(LABELS);
    expect(certificate.subjectAltName).toBe(`URI:${SPIFFE_ID}`);
    expect(certificate.verify(new X509Certificate(ca.rootCertificatePem).publicKey)).toBe(true);
  });
});
