import type { MeshObject, PeerAuthenticationSpec } from '@ripstop/istio-api';
import { selects } from './service.ts';

export type MtlsMode = 'DISABLE' | 'PERMISSIVE' | 'STRICT';

type Policy = MeshObject<PeerAuthenticationSpec>;

/** The mTLS mode that a workload's port asks for (Istio: ComposePeerAuthentication). */
export class PeerAuthentications {
  private readonly mesh: Policy | undefined;
  private readonly namespaces = new Map<string, Policy>();
  private readonly workloads: readonly Policy[];

  /** `objects` oldest first: the oldest of a level wins. */
  constructor(objects: readonly Policy[], rootNamespace: string) {
    for (const object of objects) {
      const { namespace } = object.metadata;
      if (!hasSelector(object.spec) && !this.namespaces.has(namespace)) this.namespaces.set(namespace, object);
    }
    this.mesh = this.namespaces.get(rootNamespace);
    this.namespaces.delete(rootNamespace);
    this.workloads = objects.filter(({ spec, metadata }) => hasSelector(spec) && metadata.namespace !== rootNamespace);
  }

  /** Mode of one workload port; `port` undefined asks for the workload as a whole. */
  modeFor(namespace: string, labels: Readonly<Record<string, string>>, port?: number): MtlsMode {
    const inherited = this.namespaceMode(namespace);
    const policy = this.workloadPolicy(namespace, labels);
    if (policy === undefined) return inherited;
    const own = modeOf(policy.spec.mtls?.mode) ?? inherited;
    return port === undefined ? own : (modeOf(policy.spec.portLevelMtls?.[String(port)]?.mode) ?? own);
  }

  /** Mode of a namespace, whatever its workloads say for themselves. */
  namespaceMode(namespace: string): MtlsMode {
    return general(this.namespaces.get(namespace)) ?? general(this.mesh) ?? 'PERMISSIVE';
  }

  /** Ports that the workload's own policy speaks of. */
  portsOf(namespace: string, labels: Readonly<Record<string, string>>): number[] {
    return Object.keys(this.workloadPolicy(namespace, labels)?.spec.portLevelMtls ?? {})
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** The documents that `modeFor` looks at, the closest first. */
  sourcesFor(namespace: string, labels: Readonly<Record<string, string>>): readonly Policy[] {
    return [this.workloadPolicy(namespace, labels), this.namespaces.get(namespace), this.mesh].filter((policy) => policy !== undefined);
  }

  private workloadPolicy(namespace: string, labels: Readonly<Record<string, string>>): Policy | undefined {
    return this.workloads.find(({ metadata, spec }) => metadata.namespace === namespace && selects(spec.selector?.matchLabels, labels));
  }
}

function general(policy: Policy | undefined): MtlsMode | undefined {
  return modeOf(policy?.spec.mtls?.mode);
}

function hasSelector(spec: PeerAuthenticationSpec): boolean {
  return Object.keys(spec.selector?.matchLabels ?? {}).length > 0;
}

/** UNSET inherits. */
function modeOf(text: string | undefined): MtlsMode | undefined {
  return text === 'DISABLE' || text === 'PERMISSIVE' || text === 'STRICT' ? text : undefined;
}
