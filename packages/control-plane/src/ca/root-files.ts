import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSelfSignedRoot, fromPem, type Issuer, privateKeyPem, readPrivateKey } from '@ripstop/pki';

/** Files of a certificate authority, by Istio's names, and of one that takes its place. */
const KEY = 'ca-key.pem';
const CERTIFICATE = 'ca-cert.pem';
const ROOTS = 'root-cert.pem';
const CHAIN = 'cert-chain.pem';
const NEXT_KEY = 'next-ca-key.pem';
const NEXT_CERTIFICATE = 'next-ca-cert.pem';

const ROOT_TTL_MS = 10 * 365 * 24 * 3_600_000;
/** Clocks differ: a fresh certificate is valid a little before it was made. */
export const BACKDATE_MS: number = 2 * 60_000;

/** Who signs, and whom everybody trusts. */
export interface CaMaterial {
  readonly issuer: Issuer;
  /** PEM, one or several; the root that signs now comes first. */
  readonly trustBundlePem: string;
  /** Between the issuer's leaves and the root; empty for a root that signs itself. */
  readonly intermediates: readonly string[];
}

/** Where a rotation of the root stands: nothing is under way; both roots are trusted and the old one signs; … and the new one signs. */
export type RotationStep = 'settled' | 'distributing' | 'switched';

export interface RootFilesOptions {
  readonly stateDir: string;
  readonly trustDomain: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The authority's key and certificates on disk. Directory 0700, keys 0600. Each write is whole or not there. */
export class RootFiles {
  private readonly options: RootFilesOptions;

  constructor(options: RootFilesOptions) {
    this.options = options;
    mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  }

  /** Makes a root when there is none. Throws naming the file that does not fit. */
  load(): CaMaterial {
    if (!existsSync(this.path(CERTIFICATE))) this.create();
    this.finishSwitch();
    const certificatePem = this.read(CERTIFICATE);
    const issuer: Issuer = { certificatePem, privateKey: readPrivateKey(this.read(KEY)) };
    const certificate = new X509Certificate(certificatePem);
    if (!certificate.ca) throw new Error(`${this.path(CERTIFICATE)} is no CA certificate`);
    if (!certificate.checkPrivateKey(issuer.privateKey)) throw new Error(`${this.path(KEY)} is not the key of ${CERTIFICATE}`);
    const roots = this.roots();
    const own = roots.find((root) => root.fingerprint256 === certificate.fingerprint256);
    if (own !== undefined) return { issuer, trustBundlePem: bundleOf([own, ...roots]), intermediates: [] };
    const chain = existsSync(this.path(CHAIN)) ? this.read(CHAIN) : certificatePem;
    return { issuer, trustBundlePem: bundleOf(roots), intermediates: [chain] };
  }

  step(): RotationStep {
    if (existsSync(this.path(NEXT_CERTIFICATE))) return 'distributing';
    return this.roots().length > 1 ? 'switched' : 'settled';
  }

  /** A new root that everybody trusts beside the old one; it signs nothing yet. Throws when a rotation is under way, or the root is not ours. */
  begin(): void {
    this.demand('settled');
    const signing = new X509Certificate(this.read(CERTIFICATE));
    if (!this.roots().some((root) => root.fingerprint256 === signing.fingerprint256))
      throw new Error(
        `${CERTIFICATE} is an intermediate: ask the owner of its root for new files, and put them here; they are taken at once`,
      );
    const next = this.newRoot();
    this.write(NEXT_KEY, next.keyPem, 0o600);
    // The bundle first: a crash in between leaves a root that is trusted and signs nothing.
    this.write(ROOTS, bundleOf([...this.roots(), new X509Certificate(next.certificatePem)]), 0o644);
    this.write(NEXT_CERTIFICATE, next.certificatePem, 0o644);
  }

  /** The new root signs; the old one's key is gone for good. */
  switch(): void {
    this.demand('distributing');
    renameSync(this.path(NEXT_KEY), this.path(KEY));
    this.finishSwitch();
  }

  /** Nobody trusts the old root any more. */
  finish(): void {
    this.demand('switched');
    this.write(ROOTS, this.read(CERTIFICATE), 0o644);
  }

  /** After a crash between the two renames of `switch`. */
  private finishSwitch(): void {
    if (!existsSync(this.path(NEXT_CERTIFICATE)) || existsSync(this.path(NEXT_KEY))) return;
    renameSync(this.path(NEXT_CERTIFICATE), this.path(CERTIFICATE));
  }

  private create(): void {
    const { keyPem, certificatePem } = this.newRoot();
    this.write(KEY, keyPem, 0o600);
    this.write(ROOTS, certificatePem, 0o644);
    this.write(CERTIFICATE, certificatePem, 0o644);
  }

  private newRoot(): { readonly keyPem: string; readonly certificatePem: string } {
    const now = this.options.now();
    const { certificatePem, keyPair } = createSelfSignedRoot({
      organization: this.options.trustDomain,
      notBeforeMs: now - BACKDATE_MS,
      notAfterMs: now + ROOT_TTL_MS,
    });
    return { certificatePem, keyPem: privateKeyPem(keyPair.privateKey) };
  }

  private demand(wanted: RotationStep): void {
    const step = this.step();
    if (step === wanted) return;
    const next = { settled: 'begin', distributing: 'switch', switched: 'finish' }[step];
    throw new Error(`the rotation of the root is ${step}: the next step is ${next}`);
  }

  private roots(): X509Certificate[] {
    return fromPem(this.read(ROOTS), 'CERTIFICATE').map((der) => new X509Certificate(der));
  }

  private read(name: string): string {
    try {
      return readFileSync(this.path(name), 'utf8');
    } catch (cause) {
      throw new Error(`the certificate authority needs ${this.path(name)}`, { cause });
    }
  }

  private write(name: string, text: string, mode: number): void {
    const temporary = this.path(`${name}.tmp`);
    rmSync(temporary, { force: true });
    writeFileSync(temporary, text, { mode, flush: true });
    renameSync(temporary, this.path(name));
  }

  private path(name: string): string {
    return join(this.options.stateDir, name);
  }
}

/** Each once, in the order in which they first stand. */
function bundleOf(roots: readonly X509Certificate[]): string {
  const byPrint = new Map(roots.map((root) => [root.fingerprint256, root]));
  return [...byPrint.values()].map((root) => root.toString()).join('');
}
