import { keyPairProblem, trustProblem } from '../certificate-problems.ts';
import { CA_SUFFIX } from '../certificate-secrets.ts';
import type { MeshObject } from '../object.ts';
import type { ServiceSpec } from '../types/core.ts';
import type { GatewaySpec, ServerTLSSettings } from '../types/networking.ts';
import { type Labels, selects } from './labels.ts';
import { type MeshDocuments, nameOf } from './mesh-documents.ts';
import type { Analyzer } from './say.ts';

/** Secrets that Gateways name: whether they are there, where the gateway may look, and can be served. No finding holds their content. */
export const analyzeGatewayCredentials: Analyzer = (mesh, say) => {
  const secrets = new Secrets(mesh.all('Secret'));
  for (const gateway of mesh.all<GatewaySpec>('networking.istio.io/Gateway')) {
    const namespaces = workloadNamespaces(gateway.spec.selector ?? {}, mesh);
    for (const [index, { tls }] of (gateway.spec.servers ?? []).entries()) {
      if (tls === undefined) continue;
      for (const credential of credentialsOf(tls)) {
        const problem = secrets.problem(credential, namespaces);
        if (problem === undefined) continue;
        const path = ['spec', 'servers', index, 'tls', ...credential.field];
        if (problem.missing) say(gateway, 'IST0101', path, `Referenced credentialName not found: "${credential.name}": ${problem.why}`);
        else {
          const { name, namespace } = gateway.metadata;
          say(
            gateway,
            'IST0161',
            path,
            `The credential referenced by the Gateway ${name} in namespace ${namespace} is invalid: ${problem.why}; connections for its hosts are refused`,
          );
        }
      }
    }
  }
};

interface Credential {
  readonly name: string;
  readonly field: readonly (string | number)[];
  /** A bundle of callers, not a certificate with its key. */
  readonly isBundle: boolean;
}

function credentialsOf({ mode, credentialName, credentialNames = [], caCertCredentialName }: ServerTLSSettings): Credential[] {
  const asks = mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL';
  const named: { readonly name: string; readonly field: readonly (string | number)[] }[] = credentialNames.map((name, index) => ({
    name,
    field: ['credentialNames', index],
  }));
  if (credentialName !== undefined) named.unshift({ name: credentialName, field: ['credentialName'] });
  const bundle = caCertCredentialName === undefined ? named[0] : { name: caCertCredentialName, field: ['caCertCredentialName'] };
  return [
    ...named.map((entry) => ({ ...entry, isBundle: false })),
    ...(asks && bundle !== undefined ? [{ ...bundle, isBundle: true }] : []),
  ].filter(({ name }) => !name.includes('://'));
}

/** Namespaces in which workloads run that a Gateway selects, as far as the documents tell; empty: they do not tell. */
function workloadNamespaces(selector: Labels, mesh: MeshDocuments): ReadonlySet<string> {
  if (Object.keys(selector).length === 0) return new Set();
  return new Set([
    ...mesh.workloads.anywhere(selector).map(({ namespace }) => namespace),
    ...mesh
      .all<ServiceSpec>('Service')
      .filter(({ spec }) => selects(selector, spec.selector ?? {}))
      .map(({ metadata }) => metadata.namespace),
  ]);
}

class Secrets {
  private readonly byName = new Map<string, MeshObject[]>();

  constructor(objects: readonly MeshObject[]) {
    for (const object of objects) {
      const { name } = object.metadata;
      this.byName.set(name, [...(this.byName.get(name) ?? []), object]);
    }
  }

  problem(
    { name, isBundle }: Credential,
    namespaces: ReadonlySet<string>,
  ): { readonly missing: boolean; readonly why: string } | undefined {
    const own = isBundle ? (this.byName.get(`${name.replace(new RegExp(`${CA_SUFFIX}$`), '')}${CA_SUFFIX}`) ?? []) : [];
    const all = own.length > 0 ? own : (this.byName.get(name) ?? []);
    const reachable = namespaces.size === 0 ? all : all.filter(({ metadata }) => namespaces.has(metadata.namespace));
    if (reachable.length === 0) {
      const where = [...namespaces].sort().join(', ');
      const elsewhere = all.map(({ metadata }) => metadata.namespace).join(', ');
      const why =
        all.length === 0
          ? `write a Secret of that name in the namespace of the gateway${where === '' ? '' : `, ${where}`}`
          : `that Secret is in ${elsewhere}, and a gateway is given Secrets of its own namespace only: ${where}`;
      return { missing: true, why };
    }
    for (const object of reachable) {
      const why = isBundle ? trustProblem(object) : keyPairProblem(object);
      if (why !== undefined) return { missing: false, why: `Secret ${nameOf(object)}: ${why}` };
    }
    return undefined;
  }
}
