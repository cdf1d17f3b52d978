import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Clock, DownstreamTls, IdentitySource, TlsKeyPair } from '@ripstop/core';
import { splitSubjectAltName, subjectOf } from './peer-certificate.ts';

/** What handshakes of a chain are made with. The same object for as long as nothing of it changes. */
export interface TlsMaterial {
  readonly keyPairs: readonly TlsKeyPair[];
  /** '' = callers are not verified. */
  readonly trustBundlePem: string;
  readonly revokedPem: string;
  /** URI SAN of the certificate, '' = it has none; undefined for the workload's own. */
  readonly shownUriSan: string | undefined;
  /** Its URI SAN, else its DNS SAN, else its subject; undefined for the workload's own. */
  readonly shownName: string | undefined;
}

/** How long a look at the modification times of files holds. */
const LOOK_MS = 1_000;

interface Kept {
  readonly material: TlsMaterial;
  /** Identity generation and state of the files that it was made from. */
  readonly from: string;
  lookedAt: number;
}

const SECRET_FREE = { keyPairs: [], trustBundlePem: '', revokedPem: '' };

/** Finds certificates by their SDS names: the workload's own, files of this machine, secrets that came with the chain. */
export class TlsMaterials {
  private readonly identity: IdentitySource | undefined;
  private readonly clock: Clock;
  private readonly log: (line: string) => void;
  private readonly kept = new WeakMap<DownstreamTls, Kept>();

  constructor(identity: IdentitySource | undefined, clock: Clock, log: (line: string) => void) {
    this.identity = identity;
    this.clock = clock;
    this.log = log;
  }

  /** The material as it is now, or why there is none. Files that cannot be read any more leave what was read before. */
  of(tls: DownstreamTls): TlsMaterial | string {
    if ((tls.secrets?.missing ?? '') !== '') return tls.secrets!.missing;
    const svid = this.identity?.current();
    const usesIdentity = namesOf(tls).includes('default') || tls.validationName === 'ROOTCA';
    if (usesIdentity && svid === undefined) return 'this workload has no certificate: the CA has not issued one, or it has expired';
    const before = this.kept.get(tls);
    const files = filesOf(tls);
    const generation = usesIdentity ? `${svid!.generation} ${svid!.serialNumber}` : '';
    const now = this.clock.now();
    const looked = before !== undefined && (files.length === 0 || now - before.lookedAt < LOOK_MS);
    if (looked && before.from.startsWith(`${generation}\n`)) return before.material;
    try {
      const from = `${generation}\n${files.map(stateOf).join('\n')}`;
      if (before?.from === from) {
        before.lookedAt = now;
        return before.material;
      }
      const material = this.read(tls);
      this.kept.set(tls, { material, from, lookedAt: now });
      return material;
    } catch (error) {
      const why = `certificate files cannot be used: ${error instanceof Error ? error.message : error}`;
      if (before === undefined || !before.from.startsWith(`${generation}\n`)) return why;
      before.lookedAt = now;
      this.log(`${why}; what was read before stays`);
      return before.material;
    }
  }

  private read(tls: DownstreamTls): TlsMaterial {
    const svid = this.identity?.current();
    const { keyPairs: secretPairs, trustBundlePem, revokedPem } = tls.secrets ?? SECRET_FREE;
    const own = namesOf(tls).flatMap((name): TlsKeyPair[] => {
      if (name === 'default' && svid !== undefined) return [svid];
      const files = certificateFiles(name);
      return files === undefined ? [] : [readPair(files)];
    });
    const keyPairs = [...own, ...secretPairs];
    if (keyPairs.length === 0) throw new Error(`certificate ${tls.certificateName} is not supported`);
    const isOwn = tls.certificateName === 'default';
    return {
      keyPairs,
      trustBundlePem:
        tls.validationName === 'ROOTCA'
          ? svid!.trustBundlePem
          : trustFile(tls) === ''
            ? trustBundlePem
            : readFileSync(trustFile(tls), 'utf8'),
      revokedPem,
      ...(isOwn ? OWN : shownAs(keyPairs[0]!.certificateChainPem)),
    };
  }
}

function namesOf({ certificateName, otherCertificateNames = [] }: DownstreamTls): readonly string[] {
  return [certificateName, ...otherCertificateNames];
}

interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

function certificateFiles(name: string): CertificateFiles | undefined {
  const files = /^file-cert:([^~]+)~(.+)$/.exec(name);
  return files === null ? undefined : { certificate: files[1]!, key: files[2]! };
}

function trustFile({ validationName }: DownstreamTls): string {
  return validationName.startsWith('file-root:') ? validationName.slice('file-root:'.length) : '';
}

function filesOf(tls: DownstreamTls): string[] {
  const pairs = namesOf(tls).flatMap((name) => certificateFiles(name) ?? []);
  const root = trustFile(tls);
  return [...pairs.flatMap(({ certificate, key }) => [certificate, key]), ...(root === '' ? [] : [root])];
}

function stateOf(file: string): string {
  const { mtimeMs, size, ino } = statSync(file);
  return `${file} ${mtimeMs} ${size} ${ino}`;
}

/** A certificate that was replaced before its key belongs to no key for a moment: that state is not taken. */
function readPair({ certificate, key }: CertificateFiles): TlsKeyPair {
  const certificateChainPem = readFileSync(certificate, 'utf8');
  const privateKeyPem = readFileSync(key, 'utf8');
  assertPair(certificateChainPem, privateKeyPem, certificate, key);
  return { certificateChainPem, privateKeyPem };
}

function assertPair(certificatePem: string, keyPem: string, certificate: string, key: string): void {
  let belongs: boolean;
  try {
    belongs = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    // What node:crypto says may quote the text: it is left out.
    throw new Error(`${certificate} or ${key} is not PEM`);
  }
  if (!belongs) throw new Error(`${key} is not the key of ${certificate}`);
}

type Shown = Pick<TlsMaterial, 'shownUriSan' | 'shownName'>;

const OWN: Shown = { shownUriSan: undefined, shownName: undefined };

function shownAs(pem: string): Shown {
  const certificate = new X509Certificate(pem);
  const { uris, dns } = splitSubjectAltName(certificate.subjectAltName);
  return { shownUriSan: uris[0] ?? '', shownName: uris[0] ?? dns[0] ?? subjectOf(certificate) };
}
