import type { ProxyNode } from '../model/proxy-node.ts';
import type { OutboundScope } from './sidecar-scope.ts';

/**
 * What clients of one scope have in common is made once per push: a scope belongs to one push, so that nothing outlives it. The key
 * must name everything of the node that the result depends on beside its scope.
 */
export class Shared {
  private readonly made = new WeakMap<OutboundScope, Map<string, unknown>>();

  get<T>(scope: OutboundScope, key: string, make: () => T): T {
    let entries = this.made.get(scope);
    if (entries === undefined) {
      entries = new Map();
      this.made.set(scope, entries);
    }
    if (!entries.has(key)) entries.set(key, make());
    return entries.get(key) as T;
  }
}

/** Who reads it, in what form, and from where: near endpoints come first. */
export function viewOf({ dialect, ripstop, namespace, locality, metadata }: ProxyNode): string {
  const { region, zone, subZone } = locality;
  return [dialect, ripstop, namespace, region, zone, subZone, metadata.NODE_NAME ?? ''].join('|');
}

export function labelsKey({ labels }: Pick<ProxyNode, 'labels'>): string {
  return JSON.stringify(Object.entries(labels).sort());
}
