import { createHash } from 'node:crypto';
import {
  type Any,
  EXTENSION_TYPE_URL,
  type ExtensionConfigSource,
  FailurePolicy,
  HttpWasm,
  Lua,
  NetworkWasm,
  packAny,
  StringValue,
  TypedExtensionConfig,
  typeUrlOf,
  type WasmPluginConfig,
  type WasmVmConfig,
} from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { ListenerClass } from '../push/telemetry.ts';
import { matchesListener, type Phase, type TrafficExtension, type WasmSpec } from '../push/traffic-extensions.ts';
import type { XdsResource } from './resource.ts';
import { type FieldsOf, ZERO } from './values.ts';

/** A filter of requests or of connections: both say alike where their configuration comes from. */
export interface ExtensionFilter {
  readonly name: string;
  readonly configType:
    | { readonly $case: 'typedConfig'; readonly value: Any }
    | { readonly $case: 'configDiscovery'; readonly value: FieldsOf<typeof ExtensionConfigSource> };
}

/** The plugins of a listener's port by where they stand. */
export interface PhasedFilters {
  /** Before tokens are looked at. */
  readonly authn: readonly ExtensionFilter[];
  /** After tokens, before policies. */
  readonly authz: readonly ExtensionFilter[];
  /** After policies: STATS, then those that name no phase. */
  readonly after: readonly ExtensionFilter[];
}

export const NO_EXTENSIONS: PhasedFilters = { authn: [], authz: [], after: [] };

/** Of WasmPlugins: istiod makes a TrafficExtension of each, under a name that no document can have. */
const TRANSLATED = '~istio-translated-wasmplugin';
const PREFIX = 'extensions.istio.io/trafficextension/';
/** istiod offers RBAC beside the plugin: its agent puts a refusal in the place of a module that it could not fetch. */
const HTTP_TYPES = ['envoy.extensions.filters.http.wasm.v3.Wasm', 'envoy.extensions.filters.http.rbac.v3.RBAC'].map(typeUrlOf);
const NETWORK_TYPES = ['envoy.extensions.filters.network.wasm.v3.Wasm', 'envoy.extensions.filters.network.rbac.v3.RBAC'].map(typeUrlOf);

/** The plugins of one listener class of a node; asked port by port. */
export class NodeExtensions {
  private readonly all: readonly TrafficExtension[];
  private readonly listener: ListenerClass;

  constructor(node: ProxyNode, push: PushContext, listener: ListenerClass) {
    this.all = push.extensionsFor(node);
    this.listener = listener;
  }

  /** Everything that the filters of a listener say of them. */
  get key(): unknown {
    return this.all.map((extension) => [
      qualifiedName(extension),
      extension.phase,
      extension.type,
      extension.match,
      'lua' in extension.filter ? extension.filter.lua : '',
    ]);
  }

  /** Filters of requests. */
  http(port: number): PhasedFilters {
    return this.phased('HTTP', port);
  }

  /** Filters of connections; they stand in front of HTTP as well. */
  network(port: number): PhasedFilters {
    return this.phased('NETWORK', port);
  }

  /** In front of a connection manager, where nothing stands between the phases. */
  inFront(port: number): readonly ExtensionFilter[] {
    return together(this.network(port));
  }

  private phased(type: TrafficExtension['type'], port: number): PhasedFilters {
    if (this.all.length === 0) return NO_EXTENSIONS;
    const fitting = this.all.filter((extension) => extension.type === type && matchesListener(extension, this.listener, port));
    const of = (phase: Phase): ExtensionFilter[] => fitting.filter((extension) => extension.phase === phase).map(filterOf);
    return { authn: of('AUTHN'), authz: of('AUTHZ'), after: [...of('STATS'), ...of('UNSPECIFIED')] };
  }
}

export function together({ authn, authz, after }: PhasedFilters): readonly ExtensionFilter[] {
  return [...authn, ...authz, ...after];
}

/** ECDS of the plugins that a node's listeners name. */
export function extensionConfigs(node: ProxyNode, push: PushContext, names: ReadonlySet<string>): XdsResource[] {
  return push.extensionsFor(node).flatMap((extension): XdsResource[] => {
    const name = resourceName(extension);
    if (!names.has(name) || !('wasm' in extension.filter)) return [];
    const config = pluginConfig(extension, extension.filter.wasm, pullSecret(extension, extension.filter.wasm, node, push));
    const typedConfig =
      extension.type === 'NETWORK'
        ? packAny(NetworkWasm, NetworkWasm.fromPartial({ config }))
        : packAny(HttpWasm, HttpWasm.fromPartial({ config }));
    return [{ typeUrl: EXTENSION_TYPE_URL, name, message: TypedExtensionConfig.fromPartial({ name, typedConfig }) }];
  });
}

function filterOf(extension: TrafficExtension): ExtensionFilter {
  const name = resourceName(extension);
  if ('lua' in extension.filter) {
    const code = { specifier: { $case: 'inlineString', value: extension.filter.lua } } as const;
    return { name, configType: { $case: 'typedConfig', value: packAny(Lua, Lua.fromPartial({ defaultSourceCode: code })) } };
  }
  const value: FieldsOf<typeof ExtensionConfigSource> = {
    // Without end: a listener that a plugin guards does not open before the plugin is there.
    configSource: { configSourceSpecifier: { $case: 'ads', value: {} }, initialFetchTimeout: ZERO, resourceApiVersion: 2 },
    typeUrls: extension.type === 'NETWORK' ? NETWORK_TYPES : HTTP_TYPES,
  };
  return { name, configType: { $case: 'configDiscovery', value } };
}

function qualifiedName({ object: { kind, metadata } }: TrafficExtension): string {
  return `${metadata.namespace}.${metadata.name}${kind === 'WasmPlugin' ? TRANSLATED : ''}`;
}

function resourceName(extension: TrafficExtension): string {
  return PREFIX + qualifiedName(extension);
}

const FAILURES: Readonly<Record<string, FailurePolicy>> = {
  FAIL_OPEN: FailurePolicy.FAIL_OPEN,
  FAIL_RELOAD: FailurePolicy.FAIL_RELOAD,
};

function pluginConfig(
  extension: TrafficExtension,
  wasm: WasmSpec & { readonly url: string },
  secret: string,
): FieldsOf<typeof WasmPluginConfig> {
  const { pluginName = '', pluginConfig: config = {}, failStrategy = '' } = wasm;
  return {
    name: qualifiedName(extension),
    rootId: pluginName,
    configuration:
      Object.keys(config).length === 0 ? { typeUrl: '', value: new Uint8Array() } : packAny(StringValue, { value: inOrder(config) }),
    failurePolicy: FAILURES[failStrategy] ?? FailurePolicy.FAIL_CLOSED,
    vm: {
      $case: 'vmConfig',
      value: { runtime: 'envoy.wasm.runtime.v8', code: codeOf(wasm), environmentVariables: environment(extension, wasm, secret) },
    },
  };
}

/** A file of the Envoy's machine, or what Istio's agent fetches beside it: an Envoy alone has no cluster of that name, and says so. */
function codeOf({
  url,
  sha256 = '',
}: {
  readonly url: string;
  readonly sha256?: string;
}): NonNullable<FieldsOf<typeof WasmVmConfig>['code']> {
  if (url.startsWith('file://'))
    return { specifier: { $case: 'local', value: { specifier: { $case: 'filename', value: url.slice('file://'.length) } } } };
  const uri = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `oci://${url}`;
  const httpUri = { uri, timeout: { seconds: 30, nanos: 0 }, httpUpstreamType: { $case: 'cluster', value: '_' } } as const;
  return { specifier: { $case: 'remote', value: { httpUri, sha256 } } };
}

/** The first three are words to Istio's agent, which takes them out again. */
function environment(
  { object }: TrafficExtension,
  { imagePullPolicy = 'UNSPECIFIED_POLICY', imagePullSecret = '', vmConfig: { env = [] } = {} }: WasmSpec,
  secret: string,
): NonNullable<FieldsOf<typeof WasmVmConfig>['environmentVariables']> {
  return {
    keyValues: {
      ...(imagePullSecret === '' ? {} : { ISTIO_META_WASM_IMAGE_PULL_SECRET: secret }),
      ...(imagePullPolicy === 'UNSPECIFIED_POLICY' ? {} : { ISTIO_META_WASM_IMAGE_PULL_POLICY: imagePullPolicy }),
      ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION: object.metadata.resourceVersion ?? digestOf(object.spec),
      ...Object.fromEntries(env.filter(({ valueFrom }) => valueFrom !== 'HOST').map(({ name, value = '' }) => [name, value])),
    },
    hostEnvKeys: env.filter(({ valueFrom }) => valueFrom === 'HOST').map(({ name }) => name),
  };
}

/** Changes with the document, as a version of an API server does: the agent asks for the image again by it. */
function digestOf(spec: unknown): string {
  return createHash('sha256').update(inOrder(spec)).digest('hex').slice(0, 16);
}

/** What opens the registry, from a Secret of the plugin's own namespace, for a node that has proved who it is; else ''. */
function pullSecret({ object }: TrafficExtension, { imagePullSecret = '' }: WasmSpec, { verified }: ProxyNode, push: PushContext): string {
  if (!verified || imagePullSecret === '') return '';
  const name = imagePullSecret.slice(imagePullSecret.lastIndexOf('/') + 1);
  const { type, data } = (push.certificates.get(`Secret ${object.metadata.namespace}/${name}`)?.rest ?? {}) as DockerSecret;
  const credential = type === 'kubernetes.io/dockerconfigjson' ? data?.['.dockerconfigjson'] : undefined;
  return typeof credential === 'string' ? Buffer.from(credential, 'base64').toString() : '';
}

interface DockerSecret {
  readonly type?: unknown;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** JSON with the members of objects by name, as Go writes maps. */
function inOrder(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([first], [second]) => (first < second ? -1 : 1)))
      : inner,
  );
}
