import { type HttpFilter, type HttpRbac, type JwtAuthentication, type ListenerFilter, NetworkRbac, packAny } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { WorkloadPolicies } from '../push/authorization.ts';
import type { PushContext } from '../push/push-context.ts';
import { authorizersOf } from './ext-authz.ts';
import { jwtAuthentication } from './jwt-authn.ts';
import { type CustomScope, httpCustomFilters, networkCustomFilters } from './rbac/custom-filters.ts';
import { httpRbacFilters, httpRefusals, networkRbacFilters } from './rbac/rbac-filters.ts';
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
  const policies = push.policiesFor(node.namespace, node.labels);
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
export function tcpSecurityFilters(node: ProxyNode, push: PushContext): FieldsOf<typeof ListenerFilter>[] {
  const policies = push.policiesFor(node.namespace, node.labels);
  const rbac = networkRbacFilters(policies, trustDomainsOf(push));
  return [
    ...networkCustomFilters(customScope(policies, push)),
    ...rbac.map(
      (config): FieldsOf<typeof ListenerFilter> => ({
        name: 'envoy.filters.network.rbac',
        configType: { $case: 'typedConfig', value: packAny(NetworkRbac, config) },
      }),
    ),
  ];
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
