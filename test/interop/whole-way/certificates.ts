import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { createCertificateAuthority } from '@ripstop/control-plane';
import { createCsr, createKeyPair, privateKeyPem } from '@ripstop/pki';

/** A certificate with its key, in PEM. */
export interface Leaf {
  readonly chain: string;
  readonly key: string;
}

/** Who has the certificates of files and Secrets. */
export const OUTSIDE = 'spiffe://cluster.local/ns/files/sa/files';

const DAY_SECONDS = 86_400;

/** One root for everybody, and a leaf for each account. Keys of accounts stay in memory but for that of the files that documents name. */
export class Certificates {
  readonly rootPem: string;
  /** Holds `tls.crt`, `tls.key` and `ca.crt`. */
  readonly folder: string;
  /** File of the roots that everybody trusts. */
  readonly systemRoots: string;
  /** Of the root and its key: our control plane has the same ones. */
  readonly stateDir: string;
  private readonly authority: ReturnType<typeof createCertificateAuthority>;
  private readonly leaves = new Map<string, Leaf>();
  private readonly contexts = new Map<string, SecureContext>();

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    this.stateDir = join(folder, 'state');
    this.authority = createCertificateAuthority({ stateDir: this.stateDir, trustDomain: 'cluster.local', now: Date.now });
    this.rootPem = this.authority.rootCertificatePem;
    const { chain, key } = this.leaf(OUTSIDE);
    writeFileSync(join(folder, 'tls.crt'), chain);
    writeFileSync(join(folder, 'tls.key'), key);
    writeFileSync(join(folder, 'ca.crt'), this.rootPem);
    this.systemRoots = join(folder, 'system.crt');
    writeFileSync(this.systemRoots, rootCertificates.join('\n'));
  }

  leaf(spiffeId: string): Leaf {
    const known = this.leaves.get(spiffeId);
    if (known !== undefined) return known;
    const keys = createKeyPair();
    const chain = this.sign(createCsr(keys, { uris: [spiffeId] }), spiffeId);
    const made = { chain: chain.slice(0, -1).join(''), key: privateKeyPem(keys.privateKey) };
    this.leaves.set(spiffeId, made);
    return made;
  }

  /** Leaf first, root last. */
  sign(csrPem: string, spiffeId: string): readonly string[] {
    return this.authority.issue(csrPem, spiffeId, DAY_SECONDS).chain;
  }

  /** Of a server that asks for a certificate of the same root. */
  serverContext(spiffeId: string): SecureContext {
    const known = this.contexts.get(spiffeId);
    if (known !== undefined) return known;
    const { chain, key } = this.leaf(spiffeId);
    // Without a context of its own OpenSSL breaks off when a client that showed a certificate resumes its session.
    const made = createSecureContext({ cert: chain, key, ca: this.rootPem, sessionIdContext: 'whole-way' });
    this.contexts.set(spiffeId, made);
    return made;
  }
}
