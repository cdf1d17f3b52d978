import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyPair, createSelfSignedRoot, type Issuer, issueCertificate, privateKeyPem, readPrivateKey } from '@ripstop/pki';
import type { ClientTls } from '../../../packages/server/src/testing/raw-client.ts';
import { ACCESS_POLICY, ACCESS_ROWS, type AccessRow, type CallerCertificate } from './access-rows.ts';
import { FRAMEWORKS, type Framework } from './apps.ts';
import { type Cell, cells } from './run.ts';
import { TRUST_POLICY, TRUST_ROWS } from './trust-rows.ts';
import { World } from './world.ts';

const HOUR_MS = 3_600_000;

/** Policies, and the rows that speak of them. */
export const ACCESS_SETS: readonly (readonly [policy: string, rows: readonly AccessRow[]])[] = [
  [ACCESS_POLICY, ACCESS_ROWS],
  [TRUST_POLICY, TRUST_ROWS],
];

/** Identities, tokens, rule shapes and certificates: every row through every app, over HTTP/1 and HTTP/2. */
export async function* runAccess(frameworks: readonly Framework[] = FRAMEWORKS): AsyncGenerator<Cell> {
  for (const [policy, rows] of ACCESS_SETS) yield* runSet(policy, rows, frameworks);
}

async function* runSet(policy: string, rows: readonly AccessRow[], frameworks: readonly Framework[]): AsyncGenerator<Cell> {
  await using world = await World.start(policy, frameworks);
  const issuer = new CallerIssuer(join(world.mesh.folder, 'state'));
  for (const target of world.targets) {
    for (const row of rows) {
      const mutual = row.caller === 'plaintext' ? undefined : issuer.tlsOf(row.caller);
      yield* cells(row, target, mutual === undefined ? 'plaintext' : 'mTLS', mutual, '');
    }
  }
}

/** Makes certificates that no CA of a mesh would issue. */
export class CallerIssuer {
  private readonly mesh: Issuer;
  private readonly kept = new Map<CallerCertificate, ClientTls>();

  /** `stateDir`: of the control plane whose CA signs. */
  constructor(stateDir: string) {
    const read = (name: string): string => readFileSync(join(stateDir, name), 'utf8');
    this.mesh = { certificatePem: read('ca-cert.pem'), privateKey: readPrivateKey(read('ca-key.pem')) };
  }

  tlsOf(spec: CallerCertificate): ClientTls {
    let tls = this.kept.get(spec);
    if (tls === undefined) {
      const made = spec.none === true ? {} : this.make(spec);
      tls = { ...made, servername: spec.serverName ?? '', ALPNProtocols: ['istio-http/1.1', 'istio'] };
      this.kept.set(spec, tls);
    }
    return tls;
  }

  private make({ strangeRoot = false, byLeaf = false, ...spec }: CallerCertificate): Pick<ClientTls, 'cert' | 'key'> {
    if (strangeRoot) {
      const root = createSelfSignedRoot({
        organization: 'cluster.local',
        notBeforeMs: Date.now() - HOUR_MS,
        notAfterMs: Date.now() + HOUR_MS,
      });
      return sign({ certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey }, spec);
    }
    if (!byLeaf) return sign(this.mesh, spec);
    const leaf = sign(this.mesh, { uris: ['spiffe://cluster.local/ns/default/sa/evil'] });
    const made = sign({ certificatePem: leaf.cert as string, privateKey: readPrivateKey(leaf.key as string) }, spec);
    return { cert: `${made.cert}${leaf.cert}`, key: made.key };
  }
}

function sign(issuer: Issuer, spec: CallerCertificate): Pick<ClientTls, 'cert' | 'key'> {
  const { uris = [], dns = [], isCa = false, notBeforeMs = -HOUR_MS, notAfterMs = HOUR_MS, organization = '' } = spec;
  const keys = createKeyPair();
  const now = Date.now();
  const cert = issueCertificate(issuer, {
    publicKey: keys.publicKey,
    names: { uris, dns },
    isCa,
    organization,
    notBeforeMs: now + notBeforeMs,
    notAfterMs: now + notAfterMs,
  });
  return { cert, key: privateKeyPem(keys.privateKey) };
}
