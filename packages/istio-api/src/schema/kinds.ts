import { destinationRule } from './destination-rule.ts';
import { envoyFilter } from './envoy-filter.ts';
import { gateway } from './gateway.ts';
import type { Kind } from './kind.ts';
import { appsKinds, gatewayApiKinds, kubernetesKinds } from './kubernetes.ts';
import { meshConfig } from './mesh-config.ts';
import { proxyConfig } from './proxy-config.ts';
import { authorizationPolicy, peerAuthentication, requestAuthentication } from './security.ts';
import { serviceEntry, workloadEntry, workloadGroup } from './service-entry.ts';
import { sidecar } from './sidecar.ts';
import { telemetry } from './telemetry.ts';
import { virtualService } from './virtual-service.ts';
import { trafficExtension, wasmPlugin } from './wasm.ts';

/**
 * Every kind that is known, its fields, and what becomes of them. Validation makes its findings from this, and
 * docs/reference/supported-fields.md is printed from it, so the two cannot disagree.
 */
export const KINDS: readonly Kind[] = [
  virtualService,
  destinationRule,
  gateway,
  serviceEntry,
  workloadEntry,
  workloadGroup,
  sidecar,
  peerAuthentication,
  requestAuthentication,
  authorizationPolicy,
  telemetry,
  proxyConfig,
  envoyFilter,
  wasmPlugin,
  trafficExtension,
  meshConfig,
  ...gatewayApiKinds,
  ...kubernetesKinds,
  ...appsKinds,
];

/** The entry of a kind; undefined for kinds that belong to others (Deployment, CronJob, …), which are left alone. */
export function kindOf(apiVersion: string, kind: string): Kind | undefined {
  const slash = apiVersion.indexOf('/');
  const group = slash === -1 ? '' : apiVersion.slice(0, slash);
  return BY_NAME.get(kind)?.find((entry) => entry.group === group);
}

const BY_NAME: ReadonlyMap<string, readonly Kind[]> = Map.groupBy(KINDS, ({ kind }) => kind);

/** True when the workloads that this object selects must refuse every request: it protects them, and it is not enforced. */
export function closesWorkloads({
  apiVersion,
  kind,
  spec,
}: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: unknown;
}): boolean {
  const entry = kindOf(apiVersion, kind);
  return entry?.closes !== undefined && typeof spec === 'object' && spec !== null && entry.closes(spec);
}
