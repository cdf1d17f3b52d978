import type { Document } from './document.ts';
import type { Random } from './random.ts';
import { fqdn, metadataOf, NAMESPACES, PORT_NUMBERS, type World } from './world.ts';

type Json = Record<string, unknown>;

const MANAGER = 'envoy.filters.network.http_connection_manager';
const ROUTER = 'envoy.filters.http.router';
const LUA = {
  name: 'envoy.filters.http.lua',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua', inline_code: 'x' },
};

/** Patches of every kind of thing, for all nodes, for a namespace and for workloads. */
export function envoyFilters(world: World): Document[] {
  const { random } = world;
  return random.several(0, 2, (index) => ({
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: metadataOf(random, `ef-${index}`, random.pick(NAMESPACES)),
    spec: {
      ...random.maybe(0.3, () => ({ workloadSelector: { labels: random.pick<Json>([{ app: 'cart' }, { istio: 'ingressgateway' }]) } })),
      ...random.maybe(0.3, () => ({ priority: random.pick([-5, 0, 10]) })),
      configPatches: random.several(1, 2, () => configPatch(world)),
    },
  }));
}

function configPatch(world: World): Json {
  const { random } = world;
  const context = random.maybe(0.5, () => ({ context: random.pick(['ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY']) }));
  const proxy = random.maybe(0.15, () => ({ proxy: { proxyVersion: random.pick(['^1\\.32.*', '^1\\.1.*']) } }));
  const { match = {}, ...patched } = random.pick([cluster, listener, httpFilter, networkFilter, virtualHost, route, configuration])(world);
  return { ...patched, match: { ...context, ...proxy, ...(match as Json) } };
}

function cluster({ random, services }: World): Json {
  return {
    applyTo: 'CLUSTER',
    match: random.maybe(0.7, () => ({
      cluster: random.pick<Json>([
        { service: fqdn(random.pick(services)) },
        { portNumber: random.pick(PORT_NUMBERS) },
        { subset: 'v1' },
        { name: `outbound|80||${fqdn(random.pick(services))}` },
      ]),
    })),
    patch: random.pick<Json>([
      { operation: 'MERGE', value: { connect_timeout: '3s', circuit_breakers: { thresholds: [{ max_retries: 9 }] } } },
      { operation: 'MERGE', value: { per_connection_buffer_limit_bytes: 7, common_lb_config: { healthy_panic_threshold: { value: 5 } } } },
      { operation: 'REMOVE' },
      { operation: 'ADD', value: { name: 'added', type: 'STATIC', connect_timeout: '1s' } },
    ]),
  };
}

function listener({ random }: World): Json {
  return {
    applyTo: 'LISTENER',
    match: random.maybe(0.8, () => ({
      listener: random.pick<Json>([{ portNumber: random.pick(PORT_NUMBERS) }, { name: 'virtualInbound' }, { name: '0.0.0.0_80' }]),
    })),
    patch: random.pick<Json>([
      { operation: 'MERGE', value: { per_connection_buffer_limit_bytes: 9000 } },
      { operation: 'MERGE', value: { tcp_backlog_size: 99 } },
    ]),
  };
}

/** Beside filters that both sides have: `listener` says of which manager, and beside which filter. */
function managers(random: Random, subFilter?: string): Json {
  return {
    listener: {
      ...random.maybe(0.3, () => ({ portNumber: random.pick(PORT_NUMBERS) })),
      filterChain: { filter: { name: MANAGER, ...(subFilter === undefined ? {} : { subFilter: { name: subFilter } }) } },
    },
  };
}

function httpFilter({ random }: World): Json {
  const patch = random.pick<Json>([
    { match: managers(random, ROUTER), patch: { operation: 'INSERT_BEFORE', value: LUA } },
    {
      match: managers(random, 'envoy.filters.http.cors'),
      patch: { operation: random.pick(['INSERT_AFTER', 'INSERT_BEFORE']), value: LUA },
    },
    { match: managers(random), patch: { operation: 'INSERT_FIRST', value: LUA } },
    { match: managers(random, 'envoy.filters.http.fault'), patch: { operation: 'REMOVE' } },
    {
      match: managers(random, ROUTER),
      patch: {
        operation: 'MERGE',
        value: {
          typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router', suppress_envoy_headers: true },
        },
      },
    },
  ]);
  return { applyTo: 'HTTP_FILTER', ...patch };
}

function networkFilter({ random }: World): Json {
  const type = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  return {
    applyTo: 'NETWORK_FILTER',
    match: managers(random),
    patch: {
      operation: 'MERGE',
      value: {
        typed_config: {
          '@type': type,
          ...random.pick<Json>([{ stream_idle_timeout: '9s' }, { common_http_protocol_options: { idle_timeout: '8s' } }]),
        },
      },
    },
  };
}

function virtualHost({ random, services }: World): Json {
  return {
    applyTo: 'VIRTUAL_HOST',
    match: random.maybe(0.6, () => ({
      routeConfiguration: random.pick<Json>([
        { vhost: { name: `${fqdn(random.pick(services))}:80` } },
        { portNumber: random.pick(PORT_NUMBERS) },
        { name: '80' },
        { vhost: { domainName: fqdn(random.pick(services)) } },
      ]),
    })),
    patch: random.pick<Json>([
      { operation: 'MERGE', value: { request_headers_to_remove: ['x-a'] } },
      { operation: 'MERGE', value: { include_attempt_count_in_response: true } },
      { operation: 'REMOVE' },
    ]),
  };
}

function route({ random }: World): Json {
  return {
    applyTo: 'HTTP_ROUTE',
    match: random.maybe(0.6, () => ({
      routeConfiguration: {
        vhost: { route: random.pick<Json>([{ action: 'ROUTE' }, { name: 'default' }, { name: 'primary' }, { action: 'REDIRECT' }]) },
      },
    })),
    patch: random.pick<Json>([
      { operation: 'MERGE', value: { route: { timeout: '9s' } } },
      { operation: 'MERGE', value: { response_headers_to_remove: ['x-b'] } },
      { operation: 'REMOVE' },
    ]),
  };
}

/** Not its max_direct_response_body_size_bytes: istiod has one message for all, which a patch changes for every mesh after it. */
function configuration({ random }: World): Json {
  return {
    applyTo: 'ROUTE_CONFIGURATION',
    match: random.maybe(0.5, () => ({
      routeConfiguration: random.pick<Json>([{ name: '80' }, { portNumber: 80 }, { name: 'http.8080' }]),
    })),
    patch: {
      operation: 'MERGE',
      value: random.pick<Json>([{ request_headers_to_remove: ['x-c'] }, { response_headers_to_remove: ['x-d'] }]),
    },
  };
}
