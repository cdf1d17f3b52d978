import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Clock, IdentitySource, TlsTransport } from '@ripstop/core';
import { TransportError } from './transport-error.ts';

/** Files named by a DestinationRule are read again after this time, so that a renewed certificate is taken up. */
const FILE_CONTEXT_TTL_MS = 60_000;

interface CachedContext {
  readonly context: SecureContext;
  readonly generation: number;
  readonly freshUntil: number;
}

/** Secure contexts of a client by what goes into them: made once per identity generation, not once per connection. */
export class TlsContexts {
  readonly #identity: IdentitySource | undefined;
  readonly #clock: Clock;
  readonly #cached = new Map<string, CachedContext>();

  constructor(identity: IdentitySource | undefined, clock: Clock) {
    this.#identity = identity;
    this.#clock = clock;
  }

  /** Throws a {@link TransportError} when the transport needs a certificate that isn't there. */
  get(transport: TlsTransport): SecureContext {
    const svid = this.#identity?.current();
    const usesIdentity = transport.clientCertificate?.kind === 'identity' || transport.trust?.kind === 'identity';
    if (usesIdentity && svid === undefined)
      throw new TransportError('TLS_error: no workload certificate yet: the CA has not issued one to this workload');
    const generation = usesIdentity ? svid!.generation : 0;
    const cached = this.#cached.get(transport.key);
    if (cached !== undefined && cached.generation === generation && this.#clock.now() < cached.freshUntil) return cached.context;
    const context = this.#create(transport);
    const readsFiles = transport.clientCertificate?.kind === 'files' || transport.trust?.kind === 'files';
    const freshUntil = readsFiles ? this.#clock.now() + FILE_CONTEXT_TTL_MS : Number.POSITIVE_INFINITY;
    this.#cached.set(transport.key, { context, generation, freshUntil });
    return context;
  }

  /** Drops contexts of the old identity, keys included. */
  forget(): void {
    this.#cached.clear();
  }

  #create({ clientCertificate, trust }: TlsTransport): SecureContext {
    if (trust?.kind === 'none') throw new TransportError(`TLS_error: ${trust.reason}`);
    const svid = this.#identity?.current();
    try {
      return createSecureContext({
        minVersion: 'TLSv1.2',
        ...(clientCertificate?.kind === 'identity' ? { cert: svid!.certificateChainPem, key: svid!.privateKeyPem } : {}),
        ...(clientCertificate?.kind === 'files'
          ? { cert: readFileSync(clientCertificate.certificate), key: readFileSync(clientCertificate.key) }
          : {}),
        ...(clientCertificate?.kind === 'secret'
          ? { cert: clientCertificate.pair.certificateChainPem, key: clientCertificate.pair.privateKeyPem }
          : {}),
        // The mesh's bundle replaces the system's roots: nothing else is trusted for mesh identities.
        ...(trust?.kind === 'identity' ? { ca: svid!.trustBundlePem } : {}),
        ...(trust?.kind === 'files'
          ? { ca: readFileSync(trust.ca), ...(trust.crl === undefined ? {} : { crl: readFileSync(trust.crl) }) }
          : {}),
        ...(trust?.kind === 'inline' ? { ca: trust.ca, ...(trust.crl === undefined ? {} : { crl: trust.crl }) } : {}),
      });
    } catch (error) {
      // OpenSSL's and fs's messages name the file or the fault and hold no key material.
      throw new TransportError(`TLS_error: ${error instanceof Error ? error.message : String(error)}`, error);
    }
  }
}
