import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsTransport } from './cluster/cluster.ts';
import type { Clock, IdentitySource, Svid } from './ports.ts';

/** Files named by a DestinationRule are read again after this time, so that a renewed certificate is taken up. */
const FILE_CONTEXT_TTL_MS = 60_000;

export interface UpstreamTlsInit {
  readonly identity?: IdentitySource | undefined;
  readonly clock: Clock;
  readonly readFile: (path: string) => Buffer;
  /** The driver's error for a connection that cannot be made; the text is Envoy's form, `TLS_error: …`. */
  readonly failure: (message: string, cause?: unknown) => Error;
}

interface CachedContext {
  readonly context: SecureContext;
  readonly generation: number;
  readonly freshUntil: number;
}

/** Secure contexts of a client by what goes into them: made once per identity generation, not once per connection. */
export class UpstreamTls {
  readonly #init: UpstreamTlsInit;
  readonly #cached = new Map<string, CachedContext>();

  constructor(init: UpstreamTlsInit) {
    this.#init = init;
  }

  /** Throws the driver's {@link UpstreamTlsInit.failure} when the transport needs a certificate that isn't there. */
  contextOf(transport: TlsTransport): SecureContext {
    const { clock, failure, identity } = this.#init;
    const { clientCertificate, trust } = transport;
    const svid = clientCertificate?.kind === 'identity' || trust?.kind === 'identity' ? identity?.current() : NOT_NEEDED;
    if (svid === undefined) throw failure('TLS_error: no workload certificate yet: the CA has not issued one to this workload');
    const { generation } = svid;
    const cached = this.#cached.get(transport.key);
    if (cached !== undefined && cached.generation === generation && clock.now() < cached.freshUntil) return cached.context;
    const context = this.#create(transport, svid);
    const readsFiles = clientCertificate?.kind === 'files' || trust?.kind === 'files';
    this.#cached.set(transport.key, {
      context,
      generation,
      freshUntil: readsFiles ? clock.now() + FILE_CONTEXT_TTL_MS : Number.POSITIVE_INFINITY,
    });
    return context;
  }

  /** Drops contexts of the old identity, keys included. */
  forget(): void {
    this.#cached.clear();
  }

  #create({ clientCertificate, trust }: TlsTransport, svid: Keys): SecureContext {
    const { failure } = this.#init;
    if (trust?.kind === 'none') throw failure(`TLS_error: ${trust.reason}`);
    try {
      return createSecureContext({ minVersion: 'TLSv1.2', ...this.#shown(clientCertificate, svid), ...this.#trusted(trust, svid) });
    } catch (error) {
      // OpenSSL's and fs's messages name the file or the fault and hold no key material.
      throw failure(`TLS_error: ${error instanceof Error ? error.message : String(error)}`, error);
    }
  }

  #shown(certificate: TlsTransport['clientCertificate'], svid: Keys) {
    if (certificate === undefined) return {};
    if (certificate.kind === 'identity') return { cert: svid.certificateChainPem, key: svid.privateKeyPem };
    if (certificate.kind === 'secret') return { cert: certificate.pair.certificateChainPem, key: certificate.pair.privateKeyPem };
    const { readFile } = this.#init;
    return { cert: readFile(certificate.certificate), key: readFile(certificate.key) };
  }

  #trusted(trust: TlsTransport['trust'], { trustBundlePem }: Keys) {
    // The mesh's bundle replaces the system's roots: nothing else is trusted for mesh identities.
    if (trust?.kind === 'identity') return { ca: trustBundlePem };
    if (trust?.kind === 'inline') return { ca: trust.ca, ...(trust.crl === undefined ? {} : { crl: trust.crl }) };
    if (trust?.kind !== 'files') return {};
    const { readFile } = this.#init;
    return { ca: readFile(trust.ca), ...(trust.crl === undefined ? {} : { crl: readFile(trust.crl) }) };
  }
}

type Keys = Pick<Svid, 'generation' | 'certificateChainPem' | 'privateKeyPem' | 'trustBundlePem'>;

/** Of a transport that asks for nothing of the identity: no rotation makes it anew. */
const NOT_NEEDED: Keys = { generation: 0, certificateChainPem: '', privateKeyPem: '', trustBundlePem: '' };
