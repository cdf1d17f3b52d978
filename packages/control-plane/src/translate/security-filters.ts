import type { HttpRbac, JwtAuthentication } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { jwtAuthentication } from './jwt-authn.ts';
import { httpRbacFilters, httpRefusals } from './rbac/rbac-filters.ts';

/** What judges a request before anything else sees it. */
export interface SecurityFilters {
  readonly refusals: readonly HttpRbac[];
  readonly jwt: JwtAuthentication | undefined;
  readonly rbac: readonly HttpRbac[];
}

/** The policies that hold for a server or a gateway, as filters. */
export function securityFilters(node: ProxyNode, push: PushContext): SecurityFilters {
  const policies = push.policiesFor(node.namespace, node.labels);
  const trustDomains = [push.mesh.trustDomain, ...push.mesh.trustDomainAliases];
  return {
    refusals: httpRefusals(policies, trustDomains),
    // A gateway's routes may depend on claims, so istiod has it choose the route again.
    jwt: jwtAuthentication(policies.requestAuthentications, push.tokenKeys, { clearRouteCache: node.dialect === 'router' }),
    rbac: httpRbacFilters(policies, trustDomains),
  };
}
