import { type KeyObject, sign, X509Certificate } from 'node:crypto';
import type { Cancel, IdentitySource, Svid } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, type Issuer, issueCertificate, privateKeyPem } from '@ripstop/pki';

const DAY_MS = 86_400_000;

/** What a leaf says; by default it is a good one. */
export interface LeafSpec {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  /** Relative to now. */
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly isCa?: boolean;
  /** Extended key usage: serverAuth, without clientAuth. */
  readonly serverOnly?: boolean;
}

export interface Leaf {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a test: a root, or an intermediate below another. */
export class TestAuthority {
  /** Of the root. */
  readonly certificatePem: string;
  private readonly issuer: Issuer;
  /** What leaves are shown with. */
  private readonly chainPem: string;

  constructor(parent?: TestAuthority) {
    const times = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS };
    if (parent === undefined) {
      const { certificatePem, keyPair } = createSelfSignedRoot({ organization: 'test', ...times });
      this.issuer = { certificatePem, privateKey: keyPair.privateKey };
      this.certificatePem = certificatePem;
      this.chainPem = '';
    } else {
      const { publicKey, privateKey } = createKeyPair();
      const spec = { publicKey, names: {}, isCa: true, organization: 'intermediate', ...times };
      const certificatePem = issueCertificate(parent.issuer, spec);
      this.issuer = { certificatePem, privateKey };
      this.certificatePem = parent.certificatePem;
      this.chainPem = certificatePem + parent.chainPem;
    }
  }

  issue({ uris = [], dns = [], notBeforeMs = -DAY_MS / 2, notAfterMs = DAY_MS / 2, isCa = false, serverOnly = false }: LeafSpec): Leaf {
    const keys = createKeyPair();
    const { issuer } = this;
    const now = Date.now();
    const validity = { notBeforeMs: now + notBeforeMs, notAfterMs: now + notAfterMs };
    const cert = issueCertificate(issuer, { publicKey: keys.publicKey, names: { uris: [...uris], dns: [...dns] }, isCa, ...validity });
    return { cert: (serverOnly ? withoutClientAuth(cert, issuer.privateKey) : cert) + this.chainPem, key: privateKeyPem(keys.privateKey) };
  }

  /** Takes certificates back: a list, PEM. Only of a root. */
  revoke(...certificates: readonly Leaf[]): string {
    const time = (ms: number): Buffer => der(0x17, Buffer.from(new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14).concat('Z')));
    const organization = der(0x30, Buffer.from('060355040a0c0474657374', 'hex'));
    const serials = certificates.map(({ cert }) => Buffer.from(new X509Certificate(cert).serialNumber, 'hex'));
    const revoked = serials.map((serial) => der(0x30, der(2, serial), time(Date.now())));
    const body = der(
      0x30,
      EC_SHA256,
      der(0x30, der(0x31, organization)),
      time(Date.now() - DAY_MS),
      time(Date.now() + DAY_MS),
      ...(revoked.length === 0 ? [] : [der(0x30, ...revoked)]),
    );
    const signature = sign('sha256', body, this.issuer.privateKey);
    const list = der(0x30, body, EC_SHA256, der(3, Buffer.of(0), signature));
    return `-----BEGIN X509 CRL-----\n${list.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END X509 CRL-----\n`;
  }
}

const EC_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

/** Of fewer than 65,536 bytes. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag, 0x82, bytes.length >> 8, bytes.length & 0xff), bytes]);
}

const CLIENT_AUTH = Buffer.from('2b06010505070302', 'hex');

/** The same certificate whose usages are serverAuth and once more serverAuth, signed again. */
function withoutClientAuth(pem: string, key: KeyObject): string {
  const der = Buffer.from(pem.replace(/-----.*?-----/g, ''), 'base64');
  der[der.indexOf(CLIENT_AUTH) + CLIENT_AUTH.length - 1] = 1;
  // SEQUENCE { body, algorithm, signature }, all but the last two of more than 255 bytes.
  const body = der.subarray(4, 8 + der.readUInt16BE(6));
  const algorithm = der.subarray(4 + body.length, 6 + body.length + der[5 + body.length]!);
  const signature = sign('sha256', body, key);
  const fields = Buffer.concat([body, algorithm, Buffer.from([3, signature.length + 1, 0]), signature]);
  const whole = Buffer.concat([Buffer.from([0x30, 0x82, fields.length >> 8, fields.length & 255]), fields]);
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}

/** A workload's identity, rotated by hand. */
export class TestIdentity implements IdentitySource {
  private readonly watchers = new Set<(next: Svid) => void>();
  private svid: Svid | undefined;

  constructor(authority: TestAuthority, spiffeId: string, trust?: string) {
    this.rotate(authority, spiffeId, trust);
  }

  current(): Svid | undefined {
    return this.svid;
  }

  onRotate(run: (next: Svid) => void): Cancel {
    this.watchers.add(run);
    return () => void this.watchers.delete(run);
  }

  /** `trust`: PEM of the roots; by default the authority's own. */
  rotate(authority: TestAuthority, spiffeId: string, trust: string = authority.certificatePem): void {
    const { cert, key } = authority.issue({ uris: [spiffeId] });
    const generation = (this.svid?.generation ?? 0) + 1;
    this.svid = {
      spiffeId,
      generation,
      certificateChainPem: cert,
      privateKeyPem: key,
      trustBundlePem: trust,
      serialNumber: String(generation),
      notBeforeMs: 0,
      notAfterMs: 0,
    };
    for (const run of this.watchers) run(this.svid);
  }

  lose(): void {
    this.svid = undefined;
  }
}
