import { type HttpFilter, type HttpRbac, type JwtAuthentication, type ListenerFilter, NetworkRbac, packAny } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { WorkloadPolicies } from '../push/authorization.ts';
import type { PushContext } from '../push/push-context.ts';
import { runsExtensions, trafficExtensionOf } from '../push/traffic-extensions.ts';
import { authorizersOf } from './ext-authz.ts';
import { jwtAuthentication } from './jwt-authn.ts';
import { type CustomScope, httpCustomFilters, networkCustomFilters } from './rbac/custom-filters.ts';
import { httpRbacFilters, httpRefusals, networkRbacFilters } from './rbac/rbac-filters.ts';
import { NO_EXTENSIONS, type PhasedFilters } from './traffic-extensions.ts';
import type { FieldsOf } from './values.ts';

/** What judges a request before anything else sees it. */
export interface SecurityFilters {
  readonly refusals: readonly HttpRbac[];
  /** Pairs of a shadow rbac and ext_authz; or an rbac that denies, when the authorizer cannot be asked. */
  readonly custom: readonly FieldsOf<typeof HttpFilter>[];
  readonly jwt: JwtAuthentication | undefined;
  readonly rbac: readonly HttpRbac[];
}

/** The policies that hold for a server or a gateway, as filters. */
export function securityFilters(node: ProxyNode, push: PushContext): SecurityFilters {
  const policies = policiesAt(node, push);
  const trustDomains = trustDomainsOf(push);
  return {
    refusals: httpRefusals(policies),
    custom: httpCustomFilters(customScope(policies, push)),
    // A gateway's routes may depend on claims, so istiod has it choose the route again.
    jwt: jwtAuthentication(policies.requestAuthentications, push.tokenKeys, { clearRouteCache: node.dialect === 'router' }),
    rbac: httpRbacFilters(policies, trustDomains),
  };
}

/** The same for connections that carry no HTTP. */
export function tcpSecurityFilters(
  node: ProxyNode,
  push: PushContext,
  { authn, authz, after }: PhasedFilters = NO_EXTENSIONS,
): FieldsOf<typeof ListenerFilter>[] {
  const policies = policiesAt(node, push);
  const rbac = networkRbacFilters(policies, trustDomainsOf(push));
  return [
    ...networkCustomFilters(customScope(policies, push)),
    ...authn,
    ...authz,
    ...rbac.map(
      (config): FieldsOf<typeof ListenerFilter> => ({
        name: 'envoy.filters.network.rbac',
        configType: { $case: 'typedConfig', value: packAny(NetworkRbac, config) },
      }),
    ),
    ...after,
  ];
}

/** An Envoy runs the plugins that guard it; who cannot refuses. */
function policiesAt(node: ProxyNode, push: PushContext): WorkloadPolicies {
  const policies = push.policiesFor(node.namespace, node.labels);
  if (!runsExtensions(node) || policies.unenforced.length === 0) return policies;
  return { ...policies, unenforced: policies.unenforced.filter((object) => trafficExtensionOf(object) === undefined) };
}

function customScope({ custom }: WorkloadPolicies, push: PushContext): CustomScope {
  return {
    policies: custom,
    authorizers: custom.length === 0 ? new Map() : authorizersOf(push.mesh.extensionProviders, push.services),
    trustDomains: trustDomainsOf(push),
  };
}

function trustDomainsOf({ mesh }: PushContext): readonly string[] {
  return [mesh.trustDomain, ...mesh.trustDomainAliases];
}
