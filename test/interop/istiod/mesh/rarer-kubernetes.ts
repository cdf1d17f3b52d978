import type { Document } from './document.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

type Json = Record<string, unknown>;
/** Behind the name of a slice whose Service has another one. */
export const SECOND_SLICE = '-b';

type Change = (document: Document, world: World) => Document | Document[];

/** What objects of Kubernetes seldom say: Services of other types, endpoints that leave, pods that leave. */
export function withRarerKubernetes(world: World, documents: readonly Document[]): Document[] {
  return documents.flatMap((document) => {
    const change = CHANGES[document.kind];
    return change === undefined || !world.random.chance(0.25) ? document : change(document, world);
  });
}

const CHANGES: Readonly<Record<string, Change>> = { Service: service, EndpointSlice: slice, Pod: pod };

function service(document: Document, { random }: World): Document {
  const { metadata } = document;
  const spec = document.spec as Json;
  const annotations = {
    ...metadata.annotations,
    ...random.maybe(0.3, () => ({ 'networking.istio.io/traffic-distribution': random.pick(['PreferClose', 'PreferSameNode', 'other']) })),
    ...random.maybe(0.15, () => ({ 'networking.istio.io/exportTo': random.pick(['~', 'shop, web', 'nobody']) })),
  };
  // Not `istio.io/persistent-session`, of which istiod ends when a gRPC client asks for the cluster. Seeds draw as they did.
  if (random.chance(0.2)) random.pick([0, 1]);
  return {
    ...document,
    metadata: { ...metadata, annotations },
    spec: {
      ...spec,
      ...(spec.type === 'ClusterIP' && spec.clusterIP !== 'None'
        ? random.maybe(0.4, () => ({
            type: random.pick(['NodePort', 'LoadBalancer']),
            externalTrafficPolicy: random.pick(['Cluster', 'Local']),
          }))
        : {}),
      ...random.maybe(0.15, () => ({ externalIPs: ['20.9.9.9'] })),
    },
  };
}

/** Endpoints in two slices, of which some leave, some are nobody's, and some do not say how they are. */
function slice(document: Document, { random }: World): Document[] {
  const endpoints = (document.endpoints as readonly Json[]).map((endpoint) => changed(endpoint, random));
  const part = (name: string, own: readonly Json[]): Document => ({
    ...document,
    metadata: { ...document.metadata, name: `${document.metadata.name}${name}` },
    endpoints: own,
  });
  if (!random.chance(0.4)) return [part('', endpoints)];
  const half = Math.ceil(endpoints.length / 2);
  // One of them in both.
  return [part('', endpoints.slice(0, half)), part(SECOND_SLICE, endpoints.slice(random.chance(0.3) ? half - 1 : half))];
}

function changed(endpoint: Json, random: Random): Json {
  const { targetRef, nodeName, zone, conditions, ...rest } = endpoint;
  return {
    ...rest,
    // Of nobody. One of a pod that is not named is the pod's if istiod has heard of it by then.
    ...(random.chance(0.15) ? { addresses: ['10.7.7.7'] } : { targetRef }),
    ...(random.chance(0.2) ? {} : { nodeName, zone }),
    ...random.pick<() => Json>([
      () => ({ conditions }),
      () => ({ conditions }),
      () => ({ conditions: { ready: false, serving: true, terminating: true } }),
      () => ({ conditions: { ready: false, serving: false, terminating: true } }),
      () => ({ conditions: { ready: true } }),
      () => ({ conditions: {} }),
      () => ({}),
    ])(),
    ...random.maybe(0.15, () => ({ hostname: 'pod-0' })),
  };
}

function pod(document: Document, { random }: World): Document {
  const { metadata } = document;
  const status = document.status as Json;
  return {
    ...document,
    metadata: {
      ...metadata,
      ...random.maybe(0.2, () => ({ annotations: { 'sidecar.istio.io/status': '{}' } })),
      ...random.maybe(0.15, () => ({ deletionTimestamp: '2026-01-05T00:00:00Z', finalizers: ['kept'] })),
      ...random.maybe(0.2, () => ({
        labels: {
          ...metadata.labels,
          ...random.pick<Readonly<Record<string, string>>>([
            { 'istio-locality': 'region1.zone2.sub8' },
            { 'topology.istio.io/locality': 'region2' },
            { 'topology.istio.io/subzone': 'sub8' },
            { 'topology.istio.io/subzone': 'sub9' },
            { 'topology.istio.io/cluster': 'other' },
          ]),
        },
      })),
    },
    status: { ...status, ...random.maybe(0.3, () => ({ phase: random.pick(['Pending', 'Running']) })) },
  };
}
