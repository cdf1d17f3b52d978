import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSelfSignedRoot, type Issuer, issueCertificate } from './certificate.ts';
import { createCsr, verifyCsr } from './csr.ts';
import {
  binary,
  bits,
  type DerNode,
  decodeDer,
  encodeDer,
  fromPem,
  integer,
  octets,
  oid,
  sequence,
  tagged,
  time,
  toPem,
  utf8,
} from './der.ts';
import { createKeyPair, publicKeyDer, readPrivateKey } from './keys.ts';
import { formatSpiffeId, parseSpiffeId } from './spiffe-id.ts';
import type { SubjectAltNames } from './subject-alt-names.ts';

const now = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;
const root = createSelfSignedRoot({ organization: 'cluster.local', notBeforeMs: now, notAfterMs: now + DAY });
const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
const leafKeys = createKeyPair();

function leaf(names: SubjectAltNames, more: { organization?: string; isCa?: boolean; notAfterMs?: number } = {}): string {
  return issueCertificate(issuer, { publicKey: leafKeys.publicKey, names, notBeforeMs: now, notAfterMs: now + DAY, ...more });
}

const nodes = (node: DerNode): DerNode[] => node.value as DerNode[];
const hex = (text: string): string => Buffer.from(text, 'binary').toString('hex');

/** Of a certificate: OID in hex, whether it is critical, its value in hex. */
function extensionsOf(pem: string): (string | boolean)[][] {
  const body = nodes(nodes(decodeDer(fromPem(pem, 'CERTIFICATE')[0]!))[0]!);
  return nodes(nodes(body.at(-1)!)[0]!).map((extension) => {
    const parts = nodes(extension).map(({ value }) => hex(value as string));
    return parts.length === 3 ? [parts[0]!, parts[1] === 'ff', parts[2]!] : [parts[0]!, false, parts[1]!];
  });
}

const sha1 = (key: Parameters<typeof publicKeyDer>[0]): string => createHash('sha1').update(publicKeyDer(key)).digest('hex');
const KEY_USAGE = '551d0f';
const CONSTRAINTS = '551d13';
const SUBJECT_KEY = '551d0e';
const ISSUER_KEY = '551d23';
const PURPOSES = '551d25';
const NAMES = '551d11';
const BOTH_PURPOSES = '301406082b0601050507030106082b06010505070302';

describe('the extensions of a certificate', () => {
  it('of a leaf say: no CA, signs and enciphers, for servers and clients; its names are critical as it has no subject', () => {
    const uri = 'spiffe://a/ns/b/sa/c';
    expect(extensionsOf(leaf({ uris: [uri] }))).toEqual([
      [KEY_USAGE, true, '030205a0'],
      [CONSTRAINTS, true, '3000'],
      [SUBJECT_KEY, false, `0414${sha1(leafKeys.publicKey)}`],
      [ISSUER_KEY, false, `30168014${sha1(root.keyPair.publicKey)}`],
      [PURPOSES, false, BOTH_PURPOSES],
      [NAMES, true, `30${(uri.length + 2).toString(16)}86${uri.length.toString(16)}${hex(uri)}`],
    ]);
  });

  it('of a CA say: signs certificates and nothing else', () => {
    expect(extensionsOf(root.certificatePem)).toEqual([
      [KEY_USAGE, true, '03020106'],
      [CONSTRAINTS, true, '30030101ff'],
      [SUBJECT_KEY, false, `0414${sha1(root.keyPair.publicKey)}`],
      [ISSUER_KEY, false, `30168014${sha1(root.keyPair.publicKey)}`],
    ]);
  });

  it('of a leaf with a subject leave its names uncritical; without names there is no such extension', () => {
    const names = (pem: string): unknown => extensionsOf(pem).find(([id]) => id === NAMES)?.[1];
    expect([names(leaf({ dns: ['a'] }, { organization: 'x' })), names(leaf({ dns: ['a'] })), names(leaf({}))]).toEqual([
      false,
      true,
      undefined,
    ]);
    for (const one of [{ uris: ['u:x'] }, { dns: ['d'] }, { ips: ['1.2.3.4'] }]) expect(names(leaf(one))).toBe(true);
  });
});

describe('an issuer that was made elsewhere', () => {
  /** A CA below our root, whose key is numbered in another way than ours are; undefined = it has no number. */
  const authority = (keys: { publicKey: KeyObject; privateKey: KeyObject }, number: string | undefined): Issuer => {
    const made = issueCertificate(issuer, {
      publicKey: keys.publicKey,
      names: {},
      organization: 'Istio',
      isCa: true,
      notBeforeMs: now,
      notAfterMs: now + DAY,
    });
    const [body, algorithm] = nodes(decodeDer(fromPem(made, 'CERTIFICATE')[0]!)) as [DerNode, DerNode];
    const list = nodes(nodes(body).at(-1)!)[0]!;
    const others = nodes(list).filter((one) => hex(nodes(one)[0]!.value as string) !== SUBJECT_KEY);
    list.value = number === undefined ? others : [...others, sequence(oid('2.5.29.14'), octets(octets(number)))];
    const signature = sign('sha256', encodeDer(body), issuer.privateKey);
    const der = encodeDer(sequence(body, algorithm, bits(signature.toString('binary'))));
    return { certificatePem: toPem('CERTIFICATE', der), privateKey: keys.privateKey };
  };
  const below = ({ certificatePem, privateKey }: Issuer): X509Certificate =>
    new X509Certificate(
      issueCertificate(
        { certificatePem, privateKey },
        { publicKey: leafKeys.publicKey, names: { uris: ['spiffe://a/ns/b/sa/c'] }, notBeforeMs: now, notAfterMs: now + DAY },
      ),
    );

  it.each<[what: string, number: string | undefined, wanted: string | undefined]>([
    ['is named by the number that it gives its key', 'seven', '30078005736576656e'],
    ['is not named by number where it gives none', undefined, undefined],
  ])('%s', (_what, number, wanted) => {
    const ca = authority(createKeyPair(), number);
    const leaf = below(ca);
    const parent = new X509Certificate(ca.certificatePem);
    expect([leaf.checkIssued(parent), leaf.verify(parent.publicKey)]).toEqual([true, true]);
    expect(extensionsOf(leaf.toString()).find(([id]) => id === ISSUER_KEY)?.[2]).toBe(wanted);
  });

  it.each<[what: string, keys: { publicKey: KeyObject; privateKey: KeyObject }]>([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ])('signs with its %s key', (_what, keys) => {
    const ca = authority(keys, 'k');
    const parent = new X509Certificate(ca.certificatePem);
    const leaf = below(ca);
    expect([leaf.checkIssued(parent), leaf.verify(parent.publicKey)]).toEqual([true, true]);
  });

  it('with a key that TLS callers do not verify is refused, naming it', () => {
    expect(() => below(authority(generateKeyPairSync('ed25519'), 'k'))).toThrow(/elliptic curve's or RSA, this one is ed25519/);
  });
});

describe('a certificate', () => {
  it('is of version 3, with a positive serial number of 16 bytes of its own', () => {
    const bodies = [leaf({}), leaf({})].map((pem) => nodes(nodes(decodeDer(fromPem(pem, 'CERTIFICATE')[0]!))[0]!));
    for (const body of bodies) expect(hex(nodes(body[0]!)[0]!.value as string)).toBe('02');
    const serials = bodies.map((body) => hex(body[1]!.value as string));
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
    expect(serials[0]).not.toBe(serials[1]);
  });

  it('has the subject of its issuer for its issuer, and its own organisation for its subject', () => {
    const intermediate = leaf({}, { organization: 'Zwischenstück', isCa: true });
    expect(new X509Certificate(intermediate).issuer).toBe('O=cluster.local');
    expect(new X509Certificate(intermediate).subject).toBe('O=Zwischenstück');
    expect([new X509Certificate(intermediate).ca, new X509Certificate(leaf({})).ca]).toEqual([true, false]);
    expect(new X509Certificate(leaf({})).subject || '').toBe('');
    const below = issueCertificate(
      { certificatePem: intermediate, privateKey: leafKeys.privateKey },
      { publicKey: createKeyPair().publicKey, names: {}, notBeforeMs: now, notAfterMs: now + DAY },
    );
    expect(new X509Certificate(below).checkIssued(new X509Certificate(intermediate))).toBe(true);
    expect(new X509Certificate(below).verify(leafKeys.publicKey)).toBe(true);
  });

  it.each([
    [Date.UTC(2049, 11, 31, 23, 59, 59), '170d3439313233313233353935395a'],
    [Date.UTC(2050, 0, 1), '180f32303530303130313030303030305a'],
  ])('writes times up to 2049 in two digits, later ones in four', (at, der) => {
    expect(encodeDer(time(at)).toString('hex')).toBe(der);
    expect(new X509Certificate(leaf({}, { notAfterMs: at })).validToDate.getTime()).toBe(at);
  });

  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['255.0.0.255', '255.0.0.255'],
    ['::', '0:0:0:0:0:0:0:0'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['::ffff:1.2.3.4', '0:0:0:0:0:FFFF:102:304'],
    ['fe80::', 'FE80:0:0:0:0:0:0:0'],
    ['2001:db8::a:ffff', '2001:DB8:0:0:0:0:A:FFFF'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('may speak for the address %s', (ip, shown) => {
    expect(new X509Certificate(leaf({ ips: [ip] })).subjectAltName).toBe(`IP Address:${shown}`);
  });

  it('speaks for no address that is none', () => {
    for (const ip of ['a', '1.2.3', '']) expect(() => leaf({ ips: [ip] })).toThrow(`${JSON.stringify(ip)} is no IP address`);
  });

  it('lists URIs, then hosts, then addresses', () => {
    const names = { ips: ['1.2.3.4'], dns: ['a.b'], uris: ['spiffe://x/y'] };
    expect(new X509Certificate(leaf(names)).subjectAltName).toBe('URI:spiffe://x/y, DNS:a.b, IP Address:1.2.3.4');
  });
});

describe('the key of a CSR', () => {
  const withKey = (pair: ReturnType<typeof generateKeyPairSync>): string => createCsr(pair as never, {});

  it.each([
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' })],
    ['RSA of 2048 bits', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ] as const)('may be %s', (_what, make) => {
    const pair = make();
    expect(verifyCsr(withKey(pair as never)).equals(pair.publicKey)).toBe(true);
  });

  /** The signature is another key's: the key is looked at first. */
  const withSignatureOf = (publicKey: KeyObject) => ({ publicKey, privateKey: leafKeys.privateKey });
  /** Nobody knows its private key, or has the time to make one. */
  const rsaOf = (length: number): KeyObject => {
    const n = Buffer.alloc(length / 8, 0xff).toString('base64url');
    return createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' });
  };

  it('may be RSA of 8192 bits', () => {
    expect(() => verifyCsr(withKey(withSignatureOf(rsaOf(8192)) as never))).toThrow('the signature of the CSR does not verify');
  });

  it.each([
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'secp521r1' })],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['RSA of 2040 bits', () => generateKeyPairSync('rsa', { modulusLength: 2040 })],
    ['RSA-PSS', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ['Ed25519', () => withSignatureOf(generateKeyPairSync('ed25519').publicKey)],
    ['RSA of 8200 bits', () => withSignatureOf(rsaOf(8200))],
    ['DSA', () => generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })],
  ] as const)('may not be %s', (_what, make) => {
    expect(() => verifyCsr(withKey(make() as never))).toThrow('must be P-256, P-384 or RSA of 2048 to 8192 bits');
  });
});

describe('a CSR', () => {
  const request = 'CERTIFICATE REQUEST';
  const pem = createCsr(leafKeys, { uris: ['spiffe://a/ns/b/sa/c'], dns: ['d.e'] });
  const der = fromPem(pem, request)[0]!;

  it('asks for names without a subject, in the way of PKCS#10', () => {
    const info = nodes(nodes(decodeDer(der))[0]!);
    expect(hex(info[0]!.value as string)).toBe('00');
    expect(nodes(info[1]!)).toEqual([]);
    expect(encodeDer(info[2]!)).toEqual(publicKeyDer(leafKeys.publicKey));
    const text = encodeDer(info[3]!).toString('latin1');
    expect(text).toContain('\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e'); // extensionRequest
    expect(text).toContain('\x55\x1d\x11'); // subjectAltName
    expect(text).toContain('\x86\x14spiffe://a/ns/b/sa/c\x82\x03d.e');
  });

  it('may have the old label', () => {
    expect(verifyCsr(toPem('NEW CERTIFICATE REQUEST', der)).equals(leafKeys.publicKey)).toBe(true);
    expect(() => verifyCsr(toPem('OLD CERTIFICATE REQUEST', der))).toThrow('no PEM');
  });

  it('may be 16 KiB long, and not a byte more', () => {
    expect(() => verifyCsr(pem.padEnd(16 * 1024, '\n'))).not.toThrow();
    expect(() => verifyCsr(pem.padEnd(16 * 1024 + 1, '\n'))).toThrow('the CSR is larger than 16384 bytes');
  });

  it('is refused when it is malformed, saying where', () => {
    const info = nodes(decodeDer(der))[0]!;
    for (const node of [sequence(), sequence(info, sequence()), utf8('x'), utf8('text')])
      expect(() => verifyCsr(toPem(request, encodeDer(node)))).toThrow('the CSR is malformed (CertificationRequest)');
    for (const node of [sequence(integer(Uint8Array.of(0)), sequence()), utf8('x')])
      expect(() => verifyCsr(toPem(request, encodeDer(sequence(node, sequence(), bits('x')))))).toThrow('(CertificationRequestInfo)');
  });

  it('may be nested 16 deep, no deeper', () => {
    const nested = (depth: number): string => {
      let node = sequence();
      for (let level = 0; level < depth; level++) node = sequence(node);
      return toPem(request, encodeDer(sequence(node, sequence(), bits('x'))));
    };
    expect(() => verifyCsr(nested(17))).toThrow('nested too deeply');
    expect(() => verifyCsr(nested(16))).not.toThrow('nested too deeply');
  });

  it('is refused when another has signed it', () => {
    const [info, algorithm] = nodes(decodeDer(der));
    const other = nodes(decodeDer(fromPem(createCsr(leafKeys, {}), request)[0]!))[2]!;
    expect(() => verifyCsr(toPem(request, encodeDer(sequence(info!, algorithm!, other))))).toThrow(
      'the signature of the CSR does not verify',
    );
  });
});

describe('DER and PEM', () => {
  it('is one value and no more', () => {
    const bytes = encodeDer(sequence(oid('1.2.3'), octets('ab'), tagged(1, 'c')));
    expect(encodeDer(decodeDer(bytes))).toEqual(bytes);
    expect(() => decodeDer(Buffer.concat([bytes, Buffer.from([0])]))).toThrow();
    expect(() => decodeDer(bytes.subarray(0, -1))).toThrow();
  });

  it('bytes are the part of the buffer that they are', () => {
    expect(binary(Buffer.from([9, 1, 255, 9]).subarray(1, 3))).toBe('\x01\xff');
  });

  it('PEM has 64 characters a line, and is read with any white space', () => {
    const bytes = Buffer.alloc(100, 7);
    const text = toPem('X', bytes);
    expect(text.split('\n').map((line) => line.length)).toEqual([17, 64, 64, 8, 15, 0]);
    expect(fromPem(text.replaceAll('\n', ' \r\n\t'), 'X')).toEqual([bytes]);
  });

  it('of a text with several, those of the label', () => {
    const text = `${toPem('A', Buffer.from('1'))}x\n${toPem('B', Buffer.from('2'))}${toPem('A', Buffer.from('3'))}`;
    expect(fromPem(text, 'A').map(String)).toEqual(['1', '3']);
    expect(fromPem(text, 'C')).toEqual([]);
    expect(toPem('A', Buffer.alloc(0))).toBe('-----BEGIN A-----\n\n-----END A-----\n');
  });

  it('a private key is read from PEM', () => {
    const { privateKey } = createKeyPair();
    expect(readPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string).equals(privateKey)).toBe(true);
    expect(createKeyPair().publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  });
});

describe('a SPIFFE id', () => {
  it('has "." for the "@" of a trust domain', () => {
    expect(formatSpiffeId({ trustDomain: 'a@b@c', namespace: 'x', serviceAccount: 'y' })).toBe('spiffe://a.b.c/ns/x/sa/y');
  });

  it.each(['a', 'A.b_c-9', '0'])('may have the part %j', (text) => {
    expect(formatSpiffeId({ trustDomain: 'td', namespace: text, serviceAccount: text })).toBe(`spiffe://td/ns/${text}/sa/${text}`);
  });

  it.each(['', '.', '-a', 'a.', 'a/b', '../x', 'a b', 'a%2f', 'é', 'a\n'])('may not have the part %j', (text) => {
    expect(() => formatSpiffeId({ trustDomain: 'td', namespace: text, serviceAccount: 'a' })).toThrow(`namespace ${JSON.stringify(text)}`);
    expect(() => formatSpiffeId({ trustDomain: 'td', namespace: 'a', serviceAccount: text })).toThrow(
      `serviceAccount ${JSON.stringify(text)}`,
    );
  });

  it.each([
    'xspiffe://td/ns/a/sa/b',
    'spiffe://td/ns/a/sa/b/',
    'spiffe://td/ns/a/sa/b/c',
    'spiffe:///ns/a/sa/b',
    'spiffe://td/ns/a/sa/',
    'spiffe://td/ns//sa/b',
    'spiffe://td/x/ns/a/sa/b',
    'spiffe://td/sa/b/ns/a',
  ])('is not %s', (text) => {
    expect(parseSpiffeId(text)).toBeUndefined();
  });
});
