import { parseDocuments } from '@ripstop/istio-api';
import {
  EXTENSION_TYPE_URL,
  HttpConnectionManager,
  HttpWasm,
  isAny,
  LISTENER_TYPE_URL,
  type Listener,
  NetworkWasm,
  StringValue,
  type TypedExtensionConfig,
  unpackAny,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { PushContext } from '../push/push-context.ts';
import { translate } from './translate.ts';

const MESH = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }, { name: tcp, port: 81, targetPort: 8081 }] }
`;
const SECRET = `---
apiVersion: v1
kind: Secret
metadata: { name: pull }
type: kubernetes.io/dockerconfigjson
data: { .dockerconfigjson: ${Buffer.from('{"auths":{}}').toString('base64')} }
`;
const NAME = 'extensions.istio.io/trafficextension/default.p~istio-translated-wasmplugin';

const plugin = (spec: string, { kind = 'WasmPlugin', name = 'p', namespace = 'default' } = {}): string =>
  `---\napiVersion: extensions.istio.io/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;

function nodeOf(type: string, more: Partial<ProxyNode> = {}): ProxyNode {
  return {
    ...proxyNodeOf({
      id: `${type}~10.0.0.1~web-1.default~default.svc.cluster.local`,
      metadata: { LABELS: { app: 'web' }, NAMESPACE: 'default' },
    }),
    ...more,
  };
}
const sidecar = nodeOf('sidecar');

function pushOf(yaml: string): PushContext {
  return new PushContext({ objects: parseDocuments(MESH + yaml, { file: 'a.yaml' }).objects, workloads: [] });
}

/** Short names of the filters of the chains of a listener: plugins by name, others by the last part of it. */
function chains(push: PushContext, listener: string, node = sidecar): Record<string, string[]> {
  const found = translate(LISTENER_TYPE_URL, node, push, []).find(({ name }) => name === listener)!.message as Listener;
  const rest = found.defaultFilterChain === undefined ? [] : [found.defaultFilterChain];
  return Object.fromEntries(
    [...found.filterChains, ...rest].map(({ name, filters, filterChainMatch }) => [
      `${name} ${filterChainMatch?.destinationPort ?? ''}`.trim(),
      filters.flatMap(({ name: filter, configType }) => {
        if (configType?.$case !== 'typedConfig' || !isAny(HttpConnectionManager, configType.value)) return [short(filter)];
        return [
          `${short(filter)}: ${unpackAny(HttpConnectionManager, configType.value)
            .httpFilters.map(({ name: inner }) => short(inner))
            .join(' ')}`,
        ];
      }),
    ]),
  );
}

const short = (name: string): string =>
  name.startsWith('extensions.')
    ? name.slice(name.indexOf('.', 40) + 1).replace('~istio-translated-wasmplugin', '')
    : name.split('.').at(-1)!;

function served(yaml: string, name = NAME, node = sidecar): TypedExtensionConfig | undefined {
  return translate(EXTENSION_TYPE_URL, node, pushOf(yaml), [name])[0]?.message as TypedExtensionConfig | undefined;
}

const wasmOf = (yaml: string, node?: ProxyNode) => unpackAny(HttpWasm, served(yaml, NAME, node)!.typedConfig!).config!;
const environment = (yaml: string, node?: ProxyNode) => {
  const { vm } = wasmOf(yaml, node);
  return vm?.$case === 'vmConfig' ? vm.value.environmentVariables! : undefined;
};

describe('plugins of an Envoy', () => {
  it('stand by phase around tokens and policies, and by priority within one', () => {
    const push = pushOf(
      [
        plugin('{ url: "oci://a/b" }', { name: 'last' }),
        plugin('{ url: "oci://a/b", priority: 0 }', { name: 'late' }),
        plugin('{ url: "oci://a/b", phase: STATS }', { name: 'stats' }),
        plugin('{ url: "oci://a/b", phase: AUTHZ }', { name: 'authz' }),
        plugin('{ url: "oci://a/b", phase: AUTHN }', { name: 'authn' }),
        `---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: r }\nspec: { jwtRules: [{ issuer: i, jwks: '{"keys":[]}' }] }\n`,
        '---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: a }\nspec: { action: DENY, rules: [{}] }\n',
      ].join(''),
    );
    const [http] = chains(push, 'virtualInbound')['0.0.0.0_8080 8080']!;
    expect(http).toBe('http_connection_manager: authn jwt_authn authz rbac stats late last grpc_stats fault cors router');
    expect(chains(push, '0.0.0.0_80')['']).toEqual(['http_connection_manager: authn authz stats late last grpc_stats fault cors router']);
  });

  it('of connections stand in front of HTTP and among the filters of bytes', () => {
    const push = pushOf(
      `${plugin('{ url: "oci://a/b", type: NETWORK, phase: AUTHN }', { name: 'bytes' })}${plugin('{ url: "oci://a/b", type: NETWORK }', { name: 'after' })}---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: a }\nspec: { action: DENY, rules: [{}] }\n`,
    );
    const found = chains(push, 'virtualInbound');
    expect(found['0.0.0.0_8080 8080']![0]).toBe('bytes');
    expect(found['0.0.0.0_8080 8080']!.slice(0, 2)).toEqual(['bytes', 'after']);
    expect(found['0.0.0.0_8081 8081']).toEqual(['bytes', 'rbac', 'after', 'tcp_proxy']);
  });

  it.each([
    ['no port and no side', '', ['in', 'out']],
    ['the side of servers', ', match: [{ mode: SERVER }]', ['in']],
    ['the side of clients', ', match: [{ mode: CLIENT }]', ['out']],
    ["the app's port", ', match: [{ ports: [{ number: 8080 }] }]', ['in']],
    ["the Service's port", ', match: [{ ports: [{ number: 80 }] }]', ['out']],
    ['other ports', ', match: [{ ports: [{ number: 9 }, { number: 10 }] }]', []],
  ])('match %s', (_what, match, expected) => {
    const push = pushOf(plugin(`{ url: "oci://a/b"${match} }`));
    const inbound = chains(push, 'virtualInbound')['0.0.0.0_8080 8080']![0]!.includes(': p ');
    const outbound = chains(push, '0.0.0.0_80')['']![0]!.includes(': p ');
    expect([...(inbound ? ['in'] : []), ...(outbound ? ['out'] : [])]).toEqual(expected);
  });

  it('are none of our own processes, nor of workloads that they are not for, nor of other namespaces', () => {
    const yaml = plugin('{ url: "oci://a/b", selector: { matchLabels: { app: web } } }');
    expect(served(yaml)).toBeDefined();
    expect(served(yaml, NAME, nodeOf('sidecar', { ripstop: true }))).toBeUndefined();
    expect(served(yaml, NAME, nodeOf('sidecar', { labels: { app: 'other' } }))).toBeUndefined();
    expect(served(yaml, NAME, nodeOf('sidecar', { namespace: 'other' }))).toBeUndefined();
    expect(served(plugin('{ url: "oci://a/b" }', { namespace: 'istio-system' }), NAME.replace('default', 'istio-system'))).toBeDefined();
  });

  it('are waited for, and may be refusals that the agent puts in their place', () => {
    const push = pushOf(plugin('{ url: "oci://a/b" }'));
    const listener = translate(LISTENER_TYPE_URL, sidecar, push, []).find(({ name }) => name === '0.0.0.0_80')!.message as Listener;
    const config = listener.filterChains[0]!.filters[0]!.configType;
    const [filter] = unpackAny(HttpConnectionManager, config!.value as never).httpFilters;
    expect(filter).toMatchObject({
      name: NAME,
      configType: {
        $case: 'configDiscovery',
        value: { configSource: { initialFetchTimeout: { seconds: 0, nanos: 0 } }, defaultConfig: undefined },
      },
    });
    expect(JSON.stringify(filter)).toMatch(/wasm\.v3\.Wasm.*rbac\.v3\.RBAC/);
  });

  it('are served with where the module is, what it is told, and what happens when it fails', () => {
    const config = wasmOf(
      plugin('{ url: a.example/p:1, pluginName: root, failStrategy: FAIL_OPEN, pluginConfig: { b: 1, a: { d: [x], c: "y" } } }'),
    );
    expect(config).toMatchObject({ name: 'default.p~istio-translated-wasmplugin', rootId: 'root', failurePolicy: 3 });
    expect(unpackAny(StringValue, config.configuration!).value).toBe('{"a":{"c":"y","d":["x"]},"b":1}');
    expect(JSON.stringify(config)).toContain('"uri":"oci://a.example/p:1"');
    expect(JSON.stringify(wasmOf(plugin('{ url: "file:///opt/p.wasm" }')))).toContain('"value":"/opt/p.wasm"');
    expect(wasmOf(plugin('{ url: "oci://a/b" }')).failurePolicy).toBe(2);
    const bytes = served(plugin('{ url: "oci://a/b", type: NETWORK }'))!.typedConfig!;
    expect(isAny(NetworkWasm, bytes)).toBe(true);
  });

  it('have their environment, and what opens the registry only for a client that has proved who it is', () => {
    const yaml = plugin(
      '{ url: "oci://a/b", imagePullPolicy: Always, imagePullSecret: pull, vmConfig: { env: [{ name: A, value: b }, { name: H, valueFrom: HOST }] } }',
    );
    const { keyValues, hostEnvKeys } = environment(yaml + SECRET)!;
    expect(hostEnvKeys).toEqual(['H']);
    expect(keyValues).toMatchObject({ A: 'b', ISTIO_META_WASM_IMAGE_PULL_POLICY: 'Always', ISTIO_META_WASM_IMAGE_PULL_SECRET: '' });
    const verified = nodeOf('sidecar', { verified: true });
    const secretOf = (text: string) => environment(text, verified)!.keyValues.ISTIO_META_WASM_IMAGE_PULL_SECRET;
    expect(secretOf(yaml + SECRET)).toBe('{"auths":{}}');
    expect(secretOf(yaml + SECRET.replace('dockerconfigjson\n', 'other\n'))).toBe('');
    expect(secretOf(yaml)).toBe('');
    expect(environment(plugin('{ url: "oci://a/b" }'))!.keyValues).not.toHaveProperty('ISTIO_META_WASM_IMAGE_PULL_SECRET');
  });

  it('have a version that changes with the document, as the agent pulls by it', () => {
    const version = (spec: string) => environment(plugin(spec))!.keyValues.ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION;
    expect(version('{ url: "oci://a/b" }')).toBe(version('{ url: "oci://a/b" }'));
    expect(version('{ url: "oci://a/b", priority: 1 }')).not.toBe(version('{ url: "oci://a/b" }'));
  });

  it('in Lua stand in the listener itself', () => {
    const push = pushOf(plugin('{ lua: { inlineCode: x } }', { kind: 'TrafficExtension', name: 'l' }));
    expect(chains(push, '0.0.0.0_80')['']![0]).toBe('http_connection_manager: l grpc_stats fault cors router');
    expect(translate(EXTENSION_TYPE_URL, sidecar, push, ['extensions.istio.io/trafficextension/default.l'])).toEqual([]);
  });
});
