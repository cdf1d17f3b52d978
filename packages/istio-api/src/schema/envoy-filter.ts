import { onlyOne, targetRefs, workloadSelector } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import { anyObject, choice, count, guards, int32, list, map, noted, object, port, rule, ruled, text } from './schema.ts';

interface Patches {
  readonly configPatches?: readonly { readonly patch?: { readonly filterClass?: unknown } }[];
}

const filter = object({ name: text, subFilter: object({ name: text }) });
const match = ruled(
  object(
    {
      context: choice('ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY', 'WAYPOINT'),
      proxy: object({ proxyVersion: text, metadata: map(text) }),
      listener: object({
        portNumber: count,
        portName: text,
        filterChain: object({
          name: text,
          sni: text,
          transportProtocol: text,
          applicationProtocols: text,
          filter,
          destinationPort: count,
        }),
        listenerFilter: text,
        name: text,
      }),
      routeConfiguration: object({
        portNumber: count,
        portName: text,
        gateway: text,
        vhost: object({
          name: text,
          domainName: text,
          route: object({ name: text, action: choice('ANY', 'ROUTE', 'REDIRECT', 'DIRECT_RESPONSE') }),
        }),
        name: text,
      }),
      cluster: object({ portNumber: count, service: text, subset: text, name: text }),
      waypoint: object({ filter, portNumber: port, route: object({ name: text }) }),
    },
    [],
    [['listener', 'routeConfiguration', 'cluster', 'waypoint']],
  ),
  rule(
    'only support waypointMatch when context is WAYPOINT',
    ({ context, waypoint }: { readonly context?: string; readonly waypoint?: object }) =>
      (context === 'WAYPOINT') === (waypoint !== undefined),
  ),
);

export const envoyFilter: Kind = {
  ...NETWORKING,
  versions: ['v1alpha3'],
  kind: 'EnvoyFilter',
  status: 'used',
  note: 'our own processes refuse a listener with a filter that they do not have: use the Istio resource that says the same, or a filter of your own in createMesh({ filters })',
  closes: (spec) => {
    const { configPatches } = spec as Patches;
    return Array.isArray(configPatches) && configPatches.some((entry) => guards(entry?.patch?.filterClass));
  },
  spec: ruled(
    object({
      workloadSelector,
      targetRefs,
      priority: int32,
      configPatches: list(
        object({
          applyTo: noted(
            choice(
              'INVALID',
              'LISTENER',
              'FILTER_CHAIN',
              'NETWORK_FILTER',
              'HTTP_FILTER',
              'ROUTE_CONFIGURATION',
              'VIRTUAL_HOST',
              'HTTP_ROUTE',
              'CLUSTER',
              'EXTENSION_CONFIG',
              'BOOTSTRAP',
              'LISTENER_FILTER',
            ),
            'BOOTSTRAP has no effect: an Envoy is started with it; EXTENSION_CONFIG is served by ECDS',
          ),
          match,
          patch: object({
            operation: choice(
              'INVALID',
              'MERGE',
              'ADD',
              'REMOVE',
              'INSERT_BEFORE',
              'INSERT_AFTER',
              'INSERT_FIRST',
              'REPLACE',
              'MERGE_AND_REPLACE_LIST',
            ),
            value: noted(anyObject, 'checked against the message that it is of; types that only Envoy knows are named in a warning'),
            filterClass: noted(
              choice('UNSPECIFIED', 'AUTHN', 'AUTHZ', 'STATS'),
              'AUTHN and AUTHZ: the selected workloads refuse every request',
            ),
          }),
        }),
      ),
    }),
    onlyOne('targetRefs or workloadSelector', 'workloadSelector', 'targetRefs'),
  ),
};
