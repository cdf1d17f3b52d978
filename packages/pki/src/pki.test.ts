import { X509Certificate } from 'node:crypto';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import {
  boundLabelsOf,
  createCsr,
  createKeyPair,
  createSelfSignedRoot,
  formatSpiffeId,
  type Issuer,
  isIssuedBy,
  issueCertificate,
  mayIssueCertificates,
  parseSpiffeId,
  privateKeyPem,
  verifyCsr,
} from './index.ts';

const now = Date.UTC(2026, 5, 1);
const day = 86_400_000;

/** CA:TRUE, without keyUsage. */
const ANY_USAGE = `-----BEGIN CERTIFICATE-----
MIIBhzCCAS2gAwIBAgIUaBM+ebK+ctF4n+g0msZXFN9X2rAwCgYIKoZIzj0EAwIw
EDEOMAwGA1UECgwFcGxhaW4wHhcNMjYxMTI3MDYxMzQwWhcNMzYxMTI0MDYxMzQw
WjAQMQ4wDAYDVQQKDAVwbGFpbjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJE+
tDWHzNoTlCNpFkm2nq9Izh3gwh+l23RnfQv4hbhGhyLCXaIBgY7ZEnx2+eD/riZs
TANf+G0AjVWbhoM29tGjZTBjMB0GA1UdDgQWBBSQIouu/cIhHQsyh8THvV0vWZdr
wzAfBgNVHSMEGDAWgBSQIouu/cIhHQsyh8THvV0vWZdrwzAPBgNVHRMBAf8EBTAD
AQH/MBAGCWCGSAGG+EIBDQQDFgF4MAoGCCqGSM49BAMCA0gAMEUCIQCuP+McGqow
AxhQaoJm/OSR7TL/7JrTEfHAcTOjAhk/QgIgBL8zkI3BKIA1CqHPas41Qkn7rC3Z
MJ15nQH0QTiY97A=
-----END CERTIFICATE-----
`;
/** CA:TRUE, with keyUsage keyAgreement and encipherOnly. */
const OTHER_USAGE = `-----BEGIN CERTIFICATE-----
MIIBhDCCASugAwIBAgIUUfcnwvUJ8AlHN73RZUc9SD5SHv4wCgYIKoZIzj0EAwIw
EDEOMAwGA1UECgwFYWdyZWUwHhcNMjYxMTI3MDYxMzQwWhcNMzYxMTI0MDYxMzQw
WjAQMQ4wDAYDVQQKDAVhZ3JlZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMRW
x1UhhhxuiDik7rMQ3bGmtq7p45grYGtib/RFIWye+kGvq5gXUsYe0xl9+jbKh3Ad
tr7MSWZS8ZA4dVGxwr6jYzBhMB0GA1UdDgQWBBTAx1TbQJgEEB9HJ19C+xszv6rV
vjAfBgNVHSMEGDAWgBTAx1TbQJgEEB9HJ19C+xszv6rVvjAPBgNVHRMBAf8EBTAD
AQH/MA4GA1UdDwEB/wQEAwIACTAKBggqhkjOPQQDAgNHADBEAiBB6ZpGPd0K5e9U
F2tfjrhMeNiPtTOswHEmCw0buXw2wwIgPRd85g+UvZ8iTRyBUTyhE+/smpkfqVpL
6Bx6mdfFb24=
-----END CERTIFICATE-----
`;

describe('certificates', () => {
  it('are what node:crypto calls issued by and signed by their root, with the SPIFFE id as their only name', () => {
    const root = createSelfSignedRoot({ organization: 'cluster.local', notBeforeMs: now, notAfterMs: now + 3650 * day });
    const leaf = createKeyPair();
    const id = 'spiffe://cluster.local/ns/default/sa/web';
    const pem = issueCertificate(
      { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey },
      { publicKey: leaf.publicKey, names: { uris: [id] }, notBeforeMs: now, notAfterMs: now + day },
    );
    const certificate = new X509Certificate(pem);
    const issuer = new X509Certificate(root.certificatePem);
    expect(certificate.checkIssued(issuer)).toBe(true);
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    expect(certificate.subjectAltName).toBe(`URI:${id}`);
    expect(certificate.subject || '').toBe('');
    expect(certificate.ca).toBe(false);
    expect(issuer.ca).toBe(true);
    expect(certificate.checkPrivateKey(leaf.privateKey)).toBe(true);
    expect(new Date(certificate.validTo).getTime()).toBe(now + day);
  });

  it('are issued by whom they name when his key has signed them, and by nobody else', () => {
    const times = { notBeforeMs: now, notAfterMs: now + day };
    const root = createSelfSignedRoot({ organization: 'cluster.local', ...times });
    const [issuer, keys] = [{ certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey }, createKeyPair()];
    const below = (parent: Issuer, organization: string, publicKey = keys.publicKey): X509Certificate =>
      new X509Certificate(issueCertificate(parent, { publicKey, names: {}, organization, isCa: true, ...times }));
    const leaf = below(issuer, 'leaf');
    const byName = below({ ...issuer, privateKey: createKeyPair().privateKey }, 'leaf');
    const sameKey = below(issuer, 'renamed', root.keyPair.publicKey);
    const parent = new X509Certificate(root.certificatePem);
    expect([isIssuedBy(leaf, parent), isIssuedBy(byName, parent), isIssuedBy(leaf, sameKey)]).toEqual([true, false, false]);
  });

  it('sign others when they are of a CA, and their key is not for something else', () => {
    const times = { notBeforeMs: now, notAfterMs: now + day };
    const root = createSelfSignedRoot({ organization: 'cluster.local', ...times });
    const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
    const leaf = issueCertificate(issuer, { publicKey: createKeyPair().publicKey, names: {}, ...times });
    const may = [root.certificatePem, leaf, ANY_USAGE, OTHER_USAGE].map((pem) => mayIssueCertificates(new X509Certificate(pem).raw));
    expect(may).toEqual([true, false, true, false]);
  });

  it('carry a mutual TLS connection', async () => {
    const root = createSelfSignedRoot({ organization: 'cluster.local', notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day });
    const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
    const make = (account: string): { cert: string; key: string; ca: string } => {
      const pair = createKeyPair();
      const names = { uris: [`spiffe://cluster.local/ns/default/sa/${account}`], ips: ['127.0.0.1'] };
      const cert = issueCertificate(issuer, {
        publicKey: pair.publicKey,
        names,
        notBeforeMs: Date.now() - 60_000,
        notAfterMs: Date.now() + day,
      });
      return { cert, key: privateKeyPem(pair.privateKey), ca: root.certificatePem };
    };
    const server = createServer({ ...make('server'), requestCert: true, rejectUnauthorized: true }, (socket) => {
      socket.end((socket as TLSSocket).getPeerX509Certificate()!.subjectAltName ?? '');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ...make('client') });
      socket.on('data', (data) => resolve(data.toString()));
      socket.on('error', reject);
    });
    server.close();
    expect(text).toContain('URI:spiffe://cluster.local/ns/default/sa/client');
  });
});

describe('certificate signing requests', () => {
  it('give the public key when the signature proves the private one', () => {
    const pair = createKeyPair();
    const key = verifyCsr(createCsr(pair, { uris: ['spiffe://cluster.local/ns/default/sa/web'] }));
    expect(key.equals(pair.publicKey)).toBe(true);
  });

  it.each<[string, () => string, RegExp]>([
    ['not PEM', () => 'hello', /no PEM/],
    ['too large', () => 'x'.repeat(20_000), /larger than/],
    ['no DER inside', () => '-----BEGIN CERTIFICATE REQUEST-----\naGVsbG8=\n-----END CERTIFICATE REQUEST-----\n', /./],
    ['a byte of the signed part changed', () => tamper(createCsr(createKeyPair(), { dns: ['aaaa.example'] })), /does not verify/],
  ])('are refused when %s', (_what: string, make: () => string, message: RegExp) => {
    expect(() => verifyCsr(make())).toThrow(message);
  });
});

/** Changes the name inside the request after it was signed. */
function tamper(pem: string): string {
  const body = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  body.write('bbbb', body.indexOf('aaaa.example'));
  return `-----BEGIN CERTIFICATE REQUEST-----\n${body.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}

describe('SPIFFE ids', () => {
  it('are read back as they were written, and nothing else is one', () => {
    const id = { trustDomain: 'td.example', namespace: 'shop', serviceAccount: 'cart' };
    expect(parseSpiffeId(formatSpiffeId(id))).toEqual(id);
    for (const text of ['spiffe://td/ns/a/sa/b/c', 'https://td/ns/a/sa/b', 'spiffe://td/ns//sa/b', ''])
      expect(parseSpiffeId(text)).toBeUndefined();
  });

  it('refuse parts that would change the path', () => {
    expect(() => formatSpiffeId({ trustDomain: 'td', namespace: 'a/sa/admin', serviceAccount: 'b' })).toThrow(/namespace/);
  });
});

describe('labels that a certificate binds its holder to', () => {
  const root = createSelfSignedRoot({ organization: 'a', notBeforeMs: now, notAfterMs: now + day });
  const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
  const withLabels = (labels: unknown, uris: readonly string[] = ['spiffe://a/ns/b/sa/c']): Uint8Array => {
    const spec = { publicKey: createKeyPair().publicKey, names: { uris: [...uris] }, notBeforeMs: now, notAfterMs: now + day };
    return new X509Certificate(issueCertificate(issuer, { ...spec, labels: labels as Record<string, string> })).raw;
  };

  it.each([[{ app: 'web', 'a/b': '' }], [{}], [{ ä: '日本' }]])('are read as they were written: %j', (labels) => {
    expect(boundLabelsOf(withLabels(labels))).toEqual(labels);
  });

  it('are none where there are none: in a leaf, with or without names, and in a root', () => {
    expect(boundLabelsOf(withLabels(undefined))).toBeUndefined();
    expect(boundLabelsOf(withLabels(undefined, []))).toBeUndefined();
    expect(boundLabelsOf(new X509Certificate(root.certificatePem).raw)).toBeUndefined();
  });

  it.each([['text'], [7], [null], [true], [{ app: 1 }], [{ app: 'web', version: null }], [{ app: { a: 'b' } }], [['web', 1]]])(
    'that cannot be read bind to nothing that is known, so they are refused: %j',
    (labels) => {
      expect(() => boundLabelsOf(withLabels(labels))).toThrow('the labels of the certificate cannot be read');
    },
  );
});
