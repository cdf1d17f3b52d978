import { type MeshService, selects } from './service.ts';

interface Selecting {
  readonly service: MeshService;
  /** Where it stands among all services. */
  readonly order: number;
}

/** Services with a selector, found by a label that a workload must have for it. */
export class SelectorIndex {
  private readonly byLabel = new Map<string, Selecting[]>();

  constructor(services: readonly MeshService[]) {
    for (const [order, service] of services.entries()) {
      const [first] = Object.entries(service.selector ?? {});
      if (first === undefined) continue;
      const key = keyOf(service.namespace, ...first);
      const known = this.byLabel.get(key);
      if (known === undefined) this.byLabel.set(key, [{ service, order }]);
      else known.push({ service, order });
    }
  }

  /** Those of the namespace whose selector takes a workload, in the order of all services. */
  of(namespace: string, labels: Readonly<Record<string, string>>): MeshService[] {
    const found: Selecting[] = [];
    for (const label in labels) {
      for (const entry of this.byLabel.get(keyOf(namespace, label, labels[label]!)) ?? [])
        if (selects(entry.service.selector, labels)) found.push(entry);
    }
    return found.sort((a, b) => a.order - b.order).map(({ service }) => service);
  }
}

/** Neither names nor labels have a blank. */
function keyOf(namespace: string, label: string, value: string): string {
  return `${namespace} ${label} ${value}`;
}
