import type { MeshObject } from '@ripstop/istio-api';
import { GATEWAY_API } from './gateway-types.ts';

interface GrantSpec {
  readonly from?: readonly { readonly group?: string; readonly kind: string; readonly namespace: string }[];
  readonly to?: readonly { readonly group?: string; readonly kind: string; readonly name?: string }[];
}

/** Who refers: a Gateway or a route of the Gateway API. */
export interface Referrer {
  readonly kind: string;
  readonly namespace: string;
}

export interface Referent {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/** Whether objects may refer into another namespace: only if that namespace says so. */
export class ReferenceGrants {
  private readonly grants: readonly MeshObject<GrantSpec>[];

  constructor(objects: readonly MeshObject[]) {
    this.grants = objects.filter(({ kind }) => kind === 'ReferenceGrant') as MeshObject<GrantSpec>[];
  }

  allows(from: Referrer, to: Referent): boolean {
    if (to.namespace === from.namespace) return true;
    return this.grants.some(
      ({ metadata, spec }) =>
        metadata.namespace === to.namespace &&
        (spec.from ?? []).some((entry) => entry.group === GATEWAY_API && entry.kind === from.kind && entry.namespace === from.namespace) &&
        (spec.to ?? []).some((entry) => (entry.group ?? '') === to.group && entry.kind === to.kind && (entry.name || to.name) === to.name),
    );
  }
}
