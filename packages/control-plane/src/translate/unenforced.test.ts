import { parseDocuments } from '@ripstop/istio-api';
import { FileAccessLog, HttpConnectionManager, HttpRbac, isAny, LISTENER_TYPE_URL, type Listener, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { PushContext } from '../push/push-context.ts';
import { translate } from './translate.ts';

const SERVICE =
  'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }';
const GATEWAY =
  'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: edge }\nspec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }';
const sidecar = node('sidecar', 'web');
const gateway = node('router', 'edge');

function node(type: string, app: string): ProxyNode {
  return proxyNodeOf({
    id: `${type}~10.0.0.1~${app}-1.default~default.svc.cluster.local`,
    metadata: { LABELS: { app }, NAMESPACE: 'default' },
  });
}

function managers(of: ProxyNode, ...documents: readonly string[]): HttpConnectionManager[] {
  return managersIn(pushOf(documents.join('\n---\n')), of);
}

function pushOf(documents: string, meshConfig = ''): PushContext {
  const { objects } = parseDocuments([SERVICE, GATEWAY, documents].join('\n---\n'), { file: 'a.yaml' });
  return new PushContext({ objects: [...objects, ...parseDocuments(meshConfig, { file: 'mesh.yaml' }).objects], workloads: [] });
}

function managersIn(push: PushContext, of: ProxyNode): HttpConnectionManager[] {
  return translate(LISTENER_TYPE_URL, of, push, []).flatMap(({ name, message }) =>
    name === 'virtualInbound' || of.dialect === 'router'
      ? (message as Listener).filterChains.flatMap(({ filters }) =>
          filters.flatMap(({ configType }) =>
            configType?.$case === 'typedConfig' && isAny(HttpConnectionManager, configType.value)
              ? [unpackAny(HttpConnectionManager, configType.value)]
              : [],
          ),
        )
      : [],
  );
}

/** `DENY name, name` for each RBAC filter; other filters by their name. */
function filters(manager: HttpConnectionManager): string[] {
  return manager.httpFilters.map(({ name, configType }) => {
    if (configType?.$case !== 'typedConfig' || !isAny(HttpRbac, configType.value)) return name;
    const { rules } = unpackAny(HttpRbac, configType.value);
    return `${['ALLOW', 'DENY', 'LOG'][rules?.action ?? 0]} ${Object.keys(rules?.policies ?? {}).join(', ')}`;
  });
}

const policy = (kind: string, api: string, spec: string): string =>
  `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: p }\nspec: ${spec}`;
const DENY = policy(
  'AuthorizationPolicy',
  'security.istio.io/v1',
  '{ action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }',
);

describe('policies at a gateway', () => {
  it('stand in front of everything else, as in a sidecar', () => {
    const [manager] = managers(gateway, DENY);
    expect(filters(manager!).slice(0, 2)).toEqual(['DENY ns[default]-policy[p]-rule[0]', 'envoy.filters.http.grpc_stats']);
  });

  it('see the address that trusted proxies in front of it name (numTrustedProxies), which a sidecar does not', () => {
    const push = pushOf('', 'defaultConfig: { gatewayTopology: { numTrustedProxies: 2 } }');
    expect(managersIn(push, gateway).map(({ xffNumTrustedHops }) => xffNumTrustedHops)).toEqual([2]);
    expect(new Set(managersIn(push, sidecar).map(({ xffNumTrustedHops }) => xffNumTrustedHops))).toEqual(new Set([0]));
  });

  it('are none without a policy', () => {
    expect(filters(managers(gateway)[0]!)[0]).toBe('envoy.filters.http.grpc_stats');
  });
});

describe('what protects a workload and is not enforced', () => {
  it.each([
    ['wasm-plugin', policy('WasmPlugin', 'extensions.istio.io/v1alpha1', '{ phase: AUTHN, selector: { matchLabels: { app: web } } }')],
    [
      'envoy-filter',
      policy(
        'EnvoyFilter',
        'networking.istio.io/v1alpha3',
        '{ workloadSelector: { labels: { app: web } }, configPatches: [{ patch: { filterClass: AUTHZ } }] }',
      ),
    ],
  ])('makes it refuse every request, and no other: %s', (name, text) => {
    const all = managers(sidecar, text);
    expect(all.length).toBeGreaterThan(0);
    for (const manager of all) expect(filters(manager)[0]).toBe(`DENY not-enforced-${name}-ns[default]-name[p]`);
    expect(filters(managers(gateway, text)[0]!)[0]).toBe('envoy.filters.http.grpc_stats');
  });

  it.each([
    ['WasmPlugin', '{ url: "oci://a/b", phase: AUTHZ }'],
    ['TrafficExtension', '{ wasm: { url: "oci://a/b", type: NETWORK }, phase: AUTHN }'],
    ['TrafficExtension', '{ lua: { inlineCode: x }, phase: AUTHZ }'],
  ])('refuses in our own processes alone where an Envoy can run it: %s %s', (kind, spec) => {
    const text = policy(kind, 'extensions.istio.io/v1alpha1', spec);
    const name = `DENY not-enforced-${kind === 'WasmPlugin' ? 'wasm-plugin' : 'traffic-extension'}-ns[default]-name[p]`;
    for (const manager of managers({ ...sidecar, ripstop: true }, text)) expect(filters(manager)[0]).toBe(name);
    for (const manager of managers(sidecar, text)) expect(filters(manager)).not.toContain(name);
  });

  it('is no plugin that only counts', () => {
    const all = managers(sidecar, policy('WasmPlugin', 'extensions.istio.io/v1alpha1', '{ phase: STATS }'));
    for (const manager of all) expect(filters(manager)[0]).toBe('envoy.filters.http.grpc_stats');
  });
});

describe('the access log', () => {
  it("is written in Istio's format when the mesh names only a file", () => {
    const push = pushOf('', 'accessLogFile: /dev/stdout');
    const [listener] = translate(LISTENER_TYPE_URL, sidecar, push, []).filter(({ name }) => name === '0.0.0.0_80');
    const any = (listener!.message as Listener).filterChains[0]!.filters[0]!.configType!;
    const log = unpackAny(HttpConnectionManager, any.value as never).accessLog[0]!.configType!;
    const { accessLogFormat } = unpackAny(FileAccessLog, log.value as never);
    expect(JSON.stringify(accessLogFormat)).toContain('[%START_TIME%]');
    expect(JSON.stringify(accessLogFormat)).toContain('%ROUTE_NAME%\\n');
  });
});
