import { EXTENSION_TYPE_URL, type TypedExtensionConfig } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PatchContext } from '../push/envoy-filters.ts';
import type { PushContext } from '../push/push-context.ts';
import type { XdsResource } from './resource.ts';
import { extensionConfigs } from './traffic-extensions.ts';

const CONTEXTS: readonly PatchContext[] = ['SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY'];

/** What EnvoyFilters add as EXTENSION_CONFIG, of the named ones, and plugins; the first of a name holds (istiod: BuildExtensionConfiguration). */
export function buildExtensions(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  const wanted = new Set(names);
  const plugins = extensionConfigs(node, push, wanted);
  const patches = push.patchesFor(node);
  if (patches === undefined) return plugins;
  const found = new Map<string, XdsResource>();
  for (const context of CONTEXTS)
    for (const { operation, value } of patches.of('EXTENSION_CONFIG', context)) {
      const message = value as TypedExtensionConfig | undefined;
      if (operation !== 'ADD' || message === undefined || !wanted.has(message.name) || found.has(message.name)) continue;
      found.set(message.name, { typeUrl: EXTENSION_TYPE_URL, name: message.name, message });
    }
  return [...found.values(), ...plugins.filter(({ name }) => !found.has(name))];
}
