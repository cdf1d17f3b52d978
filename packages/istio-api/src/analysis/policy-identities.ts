import type { MeshObject } from '../object.ts';
import type { Path } from '../path.ts';
import type { AuthorizationPolicySpec, PeerAuthenticationSpec, RequestAuthenticationSpec, Rule } from '../types/security.ts';
import { covers } from './authorization.ts';
import type { MeshDocuments } from './mesh-documents.ts';
import type { Analyzer, Say } from './say.ts';

type Policy = MeshObject<AuthorizationPolicySpec>;

const OF_TOKENS = ['requestPrincipals', 'notRequestPrincipals'] as const;
const OF_PEERS = ['principals', 'notPrincipals', 'namespaces', 'notNamespaces', 'serviceAccounts', 'notServiceAccounts'] as const;

/** Rules about who calls, where nobody is known: by token without RequestAuthentication, by certificate without mTLS. */
export const analyzePolicyIdentities: Analyzer = (mesh, say) => {
  for (const object of mesh.all<AuthorizationPolicySpec>('security.istio.io/AuthorizationPolicy')) {
    if ((object.spec.targetRef ?? object.spec.targetRefs) !== undefined) continue;
    checkTokens(object, mesh, say);
    checkPeers(object, mesh, say);
  }
};

function checkTokens(object: Policy, mesh: MeshDocuments, say: Say): void {
  const path = firstField(object.spec.rules ?? [], OF_TOKENS, 'request.auth.');
  if (path === undefined) return;
  const verified = mesh
    .all<RequestAuthenticationSpec>('security.istio.io/RequestAuthentication')
    .some((other) => covers(other, object, mesh.rootNamespace) || covers(object, other, mesh.rootNamespace));
  if (!verified)
    say(
      object,
      'RIPSTOP_NO_REQUEST_AUTHENTICATION',
      path,
      `no RequestAuthentication verifies tokens for these workloads, so no request has the identity that is asked for; add one in namespace ${object.metadata.namespace}`,
    );
}

function checkPeers(object: Policy, mesh: MeshDocuments, say: Say): void {
  const path = firstField(object.spec.rules ?? [], OF_PEERS, 'source.principal');
  if (path === undefined) return;
  const off = mesh
    .all<PeerAuthenticationSpec>('security.istio.io/PeerAuthentication')
    .filter(({ spec }) => spec.mtls?.mode === 'DISABLE')
    .filter((other) => other.metadata.namespace === object.metadata.namespace && covers(other, object, mesh.rootNamespace));
  for (const { metadata } of off)
    say(
      object,
      'RIPSTOP_NO_PEER_IDENTITY',
      path,
      `PeerAuthentication ${metadata.namespace}/${metadata.name} switches mTLS off, so no caller has the identity that is asked for; use PERMISSIVE or STRICT`,
    );
}

function firstField(rules: readonly Rule[], fields: readonly string[], condition: string): Path | undefined {
  for (const [index, { from = [], when = [] }] of rules.entries()) {
    for (const [at, { source = {} }] of from.entries()) {
      const field = fields.find((name) => name in source);
      if (field !== undefined) return ['spec', 'rules', index, 'from', at, 'source', field];
    }
    const at = when.findIndex(({ key }) => key.startsWith(condition));
    if (at !== -1) return ['spec', 'rules', index, 'when', at, 'key'];
  }
  return undefined;
}
