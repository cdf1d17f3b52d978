import type { MeshObject } from '../object.ts';
import type { ServiceEntrySpec, WorkloadEntrySpec } from '../types/networking.ts';
import { LabelIndex, type Labels } from './labels.ts';

/** Something that runs, or will when the documents are applied. */
export interface Workload {
  readonly object: MeshObject;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
}

/** Kinds of `apps` and `batch` that make pods of a template. */
const TEMPLATED: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job']);

/**
 * The workloads that the documents tell of: Pods, what makes Pods, WorkloadEntries and endpoints of ServiceEntries. Processes of
 * Ripstop join while it runs, so documents without Pods do not say who is there.
 */
export class Workloads {
  private readonly byNamespace = new Map<string, LabelIndex<Workload>>();
  private readonly everywhere = new LabelIndex<Workload>();
  /** False: the documents do not tell who runs: they have no Pods, and nothing that makes some. */
  readonly areTold: boolean;

  constructor(objects: readonly MeshObject[]) {
    const nodes = new Map(objects.flatMap(({ kind, metadata }) => (kind === 'Node' ? [[metadata.name, metadata.labels] as const] : [])));
    for (const object of objects)
      for (const labels of labelsOf(object, nodes)) {
        const { name, namespace } = object.metadata;
        const workload = { object, name, namespace, labels };
        this.everywhere.add(workload);
        const known = this.byNamespace.get(namespace) ?? new LabelIndex<Workload>();
        this.byNamespace.set(namespace, known);
        known.add(workload);
      }
    this.areTold = objects.some(({ kind }) => kind === 'Pod' || TEMPLATED.has(kind));
  }

  in(namespace: string, selector: Labels): readonly Workload[] {
    return this.byNamespace.get(namespace)?.matching(selector) ?? [];
  }

  anywhere(selector: Labels): readonly Workload[] {
    return this.everywhere.matching(selector);
  }
}

function labelsOf({ kind, metadata, spec }: MeshObject, nodes: ReadonlyMap<string, Labels>): readonly Labels[] {
  if (kind === 'Pod') return [{ ...metadata.labels, ...placeOf((spec as { readonly nodeName?: string }).nodeName ?? '', nodes) }];
  if (TEMPLATED.has(kind)) return [templateLabels(spec)];
  if (kind === 'WorkloadEntry')
    return [{ ...((spec as WorkloadEntrySpec).labels ?? metadata.labels), ...placeIn((spec as WorkloadEntrySpec).locality) }];
  if (kind === 'ServiceEntry')
    return ((spec as ServiceEntrySpec).endpoints ?? []).map(({ labels, locality }) => ({ ...labels, ...placeIn(locality) }));
  return [];
}

function templateLabels(spec: unknown): Labels {
  const { template } = (spec ?? {}) as { readonly template?: { readonly metadata?: { readonly labels?: Labels } } };
  return template?.metadata?.labels ?? {};
}

const REGION = 'topology.kubernetes.io/region';
const ZONE = 'topology.kubernetes.io/zone';
const SUBZONE = 'topology.istio.io/subzone';

/** Where a Pod runs counts as labels of it (Istio: AugmentLabels). */
function placeOf(nodeName: string, nodes: ReadonlyMap<string, Labels>): Labels {
  const node = nodes.get(nodeName) ?? {};
  return {
    ...given(REGION, node[REGION]),
    ...given(ZONE, node[ZONE]),
    ...given(SUBZONE, node[SUBZONE]),
    ...given('kubernetes.io/hostname', nodeName),
  };
}

/** `region/zone/subzone`. */
function placeIn(locality = ''): Labels {
  const [region, zone, subzone] = locality.split('/');
  return { ...given(REGION, region), ...given(ZONE, zone), ...given(SUBZONE, subzone) };
}

function given(label: string, value = ''): Labels {
  return value === '' ? {} : { [label]: value };
}
