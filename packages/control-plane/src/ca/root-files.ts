import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createSelfSignedRoot, fromPem, privateKeyPem } from '@ripstop/pki';
import { replaceFile } from '../state/replace-file.ts';
import { bundleOf, CA_FILES, type CaMaterial, fingerprintOf, keyIsOf, readMaterial } from './ca-material.ts';

const { key: KEY, certificate: CERTIFICATE, roots: ROOTS, chain: CHAIN } = CA_FILES;
/** Of the root that takes the place of ours. */
const NEXT_KEY = 'next-ca-key.pem';
const NEXT_CERTIFICATE = 'next-ca-cert.pem';

/** What cert-manager calls such files: somebody means a CA of his own. */
const OTHER_NAMES = ['tls.key', 'tls.crt', 'ca.crt'];

const ROOT_TTL_MS = 10 * 365 * 24 * 3_600_000;
/** Clocks differ: a fresh certificate is valid a little before it was made. */
export const BACKDATE_MS: number = 2 * 60_000;

/**
 * Where a rotation of the root stands: nothing is under way; both roots are trusted and the old one signs; … and the new one signs.
 * `foreign`: an intermediate signs, and its root is somebody else's to rotate.
 */
export type RotationStep = 'settled' | 'distributing' | 'switched' | 'foreign';

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
    return readMaterial(this.options.stateDir, this.options.now());
  }

  /** Changes when one of the files does. */
  fingerprint(): string {
    return fingerprintOf(this.options.stateDir);
  }

  step(): RotationStep {
    const signing = new X509Certificate(this.read(CERTIFICATE)).fingerprint256;
    if (!this.roots().some((root) => root.fingerprint256 === signing)) return 'foreign';
    if (existsSync(this.path(NEXT_CERTIFICATE))) return 'distributing';
    return this.roots().length > 1 ? 'switched' : 'settled';
  }

  /** A new root that everybody trusts beside the old one; it signs nothing yet. Throws when a rotation is under way, or the root is not ours. */
  begin(): void {
    this.demand('settled');
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
    const others = [KEY, ROOTS, CHAIN, ...OTHER_NAMES].filter((name) => existsSync(this.path(name)));
    // A crash on our own way through this: the root is there, and is the key's.
    const root = others.includes(KEY) && others.includes(ROOTS) ? this.roots().find((one) => keyIsOf(this.path(KEY), one)) : undefined;
    if (root !== undefined) {
      this.write(CERTIFICATE, root.toString(), 0o644);
      return;
    }
    if (others.length > 0)
      throw new Error(
        `${this.path(CERTIFICATE)} is missing beside ${others.join(', ')}: put the certificate of that CA there (Istio's names: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem), or take the others away for a root that is made here (certificates of before are then refused)`,
      );
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
    if (step === 'foreign')
      throw new Error(
        `${this.path(CERTIFICATE)} is an intermediate, and its root somebody else's: ask for new files, and put them into ${this.options.stateDir}, a root first (docs/guides/identity.md, "A new root of your own CA")`,
      );
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
      throw new Error(`the certificate authority needs ${this.path(name)}: put it there`, { cause });
    }
  }

  private write(name: string, text: string, mode: number): void {
    replaceFile(this.path(name), text, { mode, flush: true });
  }

  private path(name: string): string {
    return join(this.options.stateDir, name);
  }
}
