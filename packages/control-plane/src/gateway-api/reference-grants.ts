import type { MeshObject } from '@ripstop/istio-api';
import type { BackendRef } from './route-types.ts';

interface GrantSpec {
  readonly from?: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  readonly to?: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
}

/** Whether routes may refer to backends of another namespace: only if that namespace says so. */
export class ReferenceGrants {
  private readonly grants: readonly MeshObject<GrantSpec>[];

  constructor(objects: readonly MeshObject[]) {
    this.grants = objects.filter(({ kind }) => kind === 'ReferenceGrant') as MeshObject<GrantSpec>[];
  }

  allow(kind: string, from: string, { kind: target = 'Service', name, namespace }: BackendRef): boolean {
    if (namespace === undefined || namespace === from || target !== 'Service') return true;
    return this.grants.some(
      ({ metadata, spec }) =>
        metadata.namespace === namespace &&
        (spec.from ?? []).some((entry) => entry.kind === kind && entry.namespace === from) &&
        (spec.to ?? []).some((entry) => entry.kind === target && (entry.name === undefined || entry.name === '' || entry.name === name)),
    );
  }
}
