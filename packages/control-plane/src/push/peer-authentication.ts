import type { MeshObject, PeerAuthenticationSpec } from '@ripstop/istio-api';
import { selects } from './service.ts';

export type MtlsMode = 'DISABLE' | 'PERMISSIVE' | 'STRICT';

/** The mTLS mode that a workload's port asks for (Istio: ComposePeerAuthentication). */
export class PeerAuthentications {
  private readonly mesh: MtlsMode | undefined;
  private readonly namespaces = new Map<string, MtlsMode | undefined>();
  private readonly workloads: readonly MeshObject<PeerAuthenticationSpec>[];

  /** `objects` oldest first: the oldest of a level wins. */
  constructor(objects: readonly MeshObject<PeerAuthenticationSpec>[], rootNamespace: string) {
    const levels = new Set<string>();
    for (const { spec, metadata } of objects) {
      if (hasSelector(spec) || levels.has(metadata.namespace)) continue;
      levels.add(metadata.namespace);
      this.namespaces.set(metadata.namespace, modeOf(spec.mtls?.mode));
    }
    this.mesh = this.namespaces.get(rootNamespace);
    this.namespaces.delete(rootNamespace);
    this.workloads = objects.filter(({ spec, metadata }) => hasSelector(spec) && metadata.namespace !== rootNamespace);
  }

  /** Mode of one workload port; `port` undefined asks for the workload as a whole. */
  modeFor(namespace: string, labels: Readonly<Record<string, string>>, port?: number): MtlsMode {
    const inherited = this.namespaces.get(namespace) ?? this.mesh ?? 'PERMISSIVE';
    const policy = this.workloads.find(
      (candidate) => candidate.metadata.namespace === namespace && selects(candidate.spec.selector?.matchLabels, labels),
    );
    if (policy === undefined) return inherited;
    const own = modeOf(policy.spec.mtls?.mode) ?? inherited;
    return port === undefined ? own : (modeOf(policy.spec.portLevelMtls?.[String(port)]?.mode) ?? own);
  }
}

function hasSelector(spec: PeerAuthenticationSpec): boolean {
  return Object.keys(spec.selector?.matchLabels ?? {}).length > 0;
}

/** UNSET inherits. */
function modeOf(text: string | undefined): MtlsMode | undefined {
  return text === 'DISABLE' || text === 'PERMISSIVE' || text === 'STRICT' ? text : undefined;
}
