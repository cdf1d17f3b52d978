import { X509Certificate } from 'node:crypto';
import type { Cancel, Clock, IdentitySource, Random, Svid, Timer } from '@ripstop/core';
import { createCsr, createKeyPair, formatSpiffeId, fromPem, privateKeyPem } from '@ripstop/pki';
import { requestCertificate } from './ca-client.ts';

/** Asks a CA to sign a CSR; answers the chain, leaf first, root bundle last. */
export type SignCsr = (csrPem: string, ttlSeconds: number) => Promise<readonly string[]>;

export interface IdentityOptions {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Seconds asked of the CA. Default 24 h. */
  readonly ttlSeconds?: number;
  readonly log?: (line: string) => void;
}

export interface CreateIdentityOptions extends IdentityOptions {
  readonly caAddress: string;
  readonly rootCertificatePem: string;
  readonly token: () => string | Promise<string>;
}

export interface IdentityState {
  readonly serialNumber: string;
  readonly notAfterMs: number;
  readonly lastError: string;
}

const DAY_SECONDS = 24 * 3600;
const RETRY_BASE_MS = 500;
const RETRY_MAX_MS = 30_000;
/** Without a valid certificate nothing is served: the CA is asked this often, so that work goes on soon after it is back. */
const RETRY_MAX_EXPIRED_MS = 2_000;
const RENEWAL_SPREAD_MS = 5_000;

/**
 * The workload's certificate. Key and certificate live in memory only; a new key with every rotation, at half life ± 1 %. While the CA
 * is away the current certificate stays until it expires; after that there is none, with the reason in `state()`.
 */
export class Identity implements IdentitySource {
  private readonly options: IdentityOptions;
  private readonly sign: SignCsr;
  private readonly spiffeId: string;
  private readonly listeners = new Set<(next: Svid) => void>();
  private readonly waiting: ((first: Svid) => void)[] = [];
  private svid: Svid | undefined;
  private generation = 0;
  private failures = 0;
  private lastError = '';
  private timer: Timer | undefined;
  private rotating: Promise<Svid> | undefined;
  /** Roots that came while the CA was asked: newer than those that come with its answer. */
  private newerRootsPem: string | undefined;
  private closed = false;

  constructor(options: IdentityOptions, sign: SignCsr) {
    this.options = options;
    this.sign = sign;
    this.spiffeId = formatSpiffeId(options);
    this.rotate().catch(() => {}); // The reason is kept in state(); the timer tries again.
  }

  current(): Svid | undefined {
    const { svid } = this;
    if (svid !== undefined && svid.notAfterMs <= this.options.clock.wallTime()) {
      this.svid = undefined;
      this.options.log?.(`the certificate of ${this.spiffeId} has expired; mTLS is refused until the CA answers (${this.lastError})`);
    }
    return this.svid;
  }

  onRotate(run: (next: Svid) => void): Cancel {
    this.listeners.add(run);
    return () => void this.listeners.delete(run);
  }

  /** Resolves with the first certificate; waits through failures of the CA. */
  ready(): Promise<Svid> {
    const current = this.current();
    if (current !== undefined) return Promise.resolve(current);
    return new Promise((resolve) => void this.waiting.push(resolve));
  }

  /** A new certificate now. Rejects when the CA does not give one; the current one stays. */
  rotateNow(): Promise<Svid> {
    return this.rotate();
  }

  /**
   * The roots of the mesh have changed: believed from now on, and a certificate of the CA as it is now follows within seconds. Throws when
   * the text holds no certificate; then nothing changes.
   */
  trust(bundlePem: string): void {
    const { svid } = this;
    if (this.closed) return;
    if (sameCertificates(svid?.trustBundlePem ?? '', bundlePem)) return;
    if (this.rotating !== undefined) this.newerRootsPem = bundlePem;
    if (svid === undefined) return;
    this.adopt({ ...svid, privateKeyPem: svid.privateKeyPem, generation: ++this.generation, trustBundlePem: bundlePem });
    this.scheduleRenewal();
  }

  state(): IdentityState {
    return { serialNumber: this.svid?.serialNumber ?? '', notAfterMs: this.svid?.notAfterMs ?? 0, lastError: this.lastError };
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
  }

  private rotate(): Promise<Svid> {
    this.rotating ??= this.fetch().finally(() => {
      this.rotating = undefined;
    });
    return this.rotating;
  }

  private async fetch(): Promise<Svid> {
    this.timer?.cancel();
    this.newerRootsPem = undefined;
    try {
      const keys = createKeyPair();
      const chain = await this.sign(createCsr(keys, { uris: [this.spiffeId] }), this.options.ttlSeconds ?? DAY_SECONDS);
      const next = this.accept(chain, privateKeyPem(keys.privateKey));
      const { newerRootsPem } = this;
      // A CA that answers with the roots that came meanwhile is the CA as it is now.
      const isNow = newerRootsPem === undefined || sameCertificates(chain.at(-1)!, newerRootsPem);
      this.failures = 0;
      this.lastError = '';
      this.adopt(next);
      if (isNow) this.schedule(this.rotationDelay(next));
      else this.scheduleRenewal();
      return next;
    } catch (error) {
      // grpc-js appends a resolution note also when there is none.
      this.lastError = (error instanceof Error ? error.message : String(error)).replace(/\.? Resolution note:\s*$/, '');
      this.options.log?.(`no certificate for ${this.spiffeId}: ${this.lastError}`);
      const now = this.options.clock.wallTime();
      const leftMs = (this.svid?.notAfterMs ?? now) - now;
      const ceiling = Math.min(RETRY_BASE_MS * 2 ** this.failures++, RETRY_MAX_MS, Math.max(leftMs, RETRY_MAX_EXPIRED_MS));
      this.schedule(ceiling / 2 + (this.options.random() * ceiling) / 2);
      throw error;
    }
  }

  private adopt(next: Svid): void {
    hideKey(next);
    this.svid = next;
    for (const run of [...this.listeners]) run(next);
    for (const resolve of this.waiting.splice(0)) resolve(next);
  }

  /** A certificate for another name than ours, or without a root, is refused. */
  private accept(chain: readonly string[], keyPem: string): Svid {
    if (chain.length < 2) throw new Error('the CA sent no root certificate');
    const leaf = new X509Certificate(chain[0]!);
    if (leaf.subjectAltName !== `URI:${this.spiffeId}`)
      throw new Error(`the CA issued ${leaf.subjectAltName ?? 'a certificate without names'} instead of ${this.spiffeId}`);
    return {
      spiffeId: this.spiffeId,
      generation: ++this.generation,
      certificateChainPem: chain.slice(0, -1).join(''),
      privateKeyPem: keyPem,
      trustBundlePem: this.newerRootsPem ?? chain.at(-1)!,
      serialNumber: leaf.serialNumber,
      notBeforeMs: new Date(leaf.validFrom).getTime(),
      notAfterMs: new Date(leaf.validTo).getTime(),
    };
  }

  private rotationDelay(svid: Svid): number {
    const now = this.options.clock.wallTime();
    const half = 0.5 + (this.options.random() - 0.5) * 0.02;
    return Math.max(1000, (svid.notAfterMs - now) * half);
  }

  /** Spread, so that a mesh does not come at once. */
  private scheduleRenewal(): void {
    this.schedule(this.options.random() * RENEWAL_SPREAD_MS);
  }

  private schedule(delayMs: number): void {
    this.timer?.cancel();
    if (this.closed) return;
    // Timers of 2^31 ms and more fire at once.
    this.timer = this.options.clock.setTimer(() => void this.rotate().catch(() => {}), Math.min(delayMs, 2 ** 31 - 1));
  }
}

/** Order matters: the root that signs comes first. Throws when the new text holds none. */
function sameCertificates(before: string, next: string): boolean {
  const prints = (pem: string): string =>
    fromPem(pem, 'CERTIFICATE')
      .map((der) => new X509Certificate(der).fingerprint256)
      .join();
  const wanted = prints(next);
  if (wanted === '') throw new Error('the bundle of roots holds no certificate in PEM');
  return prints(before) === wanted;
}

/** Not enumerable: no copy, JSON or console.log of what holds a certificate shows its key. */
function hideKey(svid: Svid): void {
  Object.defineProperty(svid, 'privateKeyPem', { enumerable: false });
}

/** An identity from Istio's certificate service: Ripstop's control plane or a real istiod. */
export function createIdentity(options: CreateIdentityOptions): Identity {
  const { caAddress: address, rootCertificatePem, token } = options;
  // Once there is an identity, its roots are the truth: the one that the process began with may be gone.
  const ca = {
    address,
    rootCertificatePem: () => identity?.current()?.trustBundlePem ?? rootCertificatePem,
    token,
    certificate: () => identity?.current(),
  };
  let identity: Identity | undefined;
  identity = new Identity(options, (csr, ttlSeconds) => requestCertificate(ca, csr, ttlSeconds));
  return identity;
}
