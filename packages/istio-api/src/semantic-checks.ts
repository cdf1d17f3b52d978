import { checkEnvoyFilter, type EnvoyFilterFields } from './envoy-filter-checks.ts';
import { checkKubernetesGateway, checkKubernetesRoute, type KubernetesGateway, type KubernetesRoute } from './gateway-api-checks.ts';
import type { MeshObject } from './object.ts';
import { checkTargets } from './policy-target-checks.ts';
import { checkRegex } from './regex-check.ts';
import { checkRequestAuthentication } from './request-authentication-checks.ts';
import { CONDITION_KEYS } from './schema/security.ts';
import { checkSidecar, type SidecarFields } from './sidecar-checks.ts';
import {
  checkClaims,
  checkDestinationRule,
  checkGateway,
  checkMeshConfig,
  checkRetryOn,
  checkService,
  checkServiceEntrySupport,
  checkWorkloadEntry,
} from './support-checks.ts';
import { checkTelemetry } from './telemetry-checks.ts';
import type { MeshConfigSpec, ServiceSpec } from './types/core.ts';
import type {
  DestinationRuleSpec,
  GatewaySpec,
  HTTPRoute,
  ServiceEntrySpec,
  VirtualServiceSpec,
  WorkloadEntrySpec,
} from './types/networking.ts';
import type { AuthorizationPolicySpec, RequestAuthenticationSpec, Rule } from './types/security.ts';
import type { TelemetrySpec } from './types/telemetry.ts';
import type { Path, Report } from './validate.ts';

/** Rules that a field by itself cannot show; run when the structure is right. */
export function semanticChecks(object: MeshObject, report: Report): void {
  switch (object.kind) {
    case 'VirtualService':
      checkVirtualService(object.spec as VirtualServiceSpec, report);
      return;
    case 'DestinationRule':
      checkDestinationRule(object.spec as DestinationRuleSpec, report);
      return;
    case 'Gateway':
      if (object.apiVersion.startsWith('networking.istio.io/')) checkGateway(object.spec as GatewaySpec, report);
      else checkKubernetesGateway(object.spec as KubernetesGateway, report);
      return;
    case 'HTTPRoute':
    case 'GRPCRoute':
      checkKubernetesRoute(object.spec as KubernetesRoute, report);
      return;
    case 'MeshConfig':
      checkMeshConfig(object.spec as MeshConfigSpec, report);
      return;
    case 'Service':
      checkService(object.spec as ServiceSpec, report);
      return;
    case 'WorkloadEntry':
      checkWorkloadEntry(object.spec as WorkloadEntrySpec, ['spec'], report);
      return;
    case 'ServiceEntry':
      checkServiceEntrySupport(object.spec as ServiceEntrySpec, report);
      checkServiceEntry(object.spec as ServiceEntrySpec, report);
      return;
    case 'RequestAuthentication':
      checkRequestAuthentication(object.spec as RequestAuthenticationSpec, report);
      return;
    case 'Sidecar':
      checkSidecar(object.spec as SidecarFields, report);
      return;
    case 'EnvoyFilter':
      checkEnvoyFilter(object.spec as EnvoyFilterFields, report);
      return;
    case 'Telemetry':
      checkTelemetry(object.spec as TelemetrySpec, report);
      return;
    case 'AuthorizationPolicy':
      checkAuthorizationPolicy(object.spec as AuthorizationPolicySpec, report);
  }
}

function checkVirtualService(spec: VirtualServiceSpec, report: Report): void {
  if ((spec.http?.length ?? 0) + (spec.tls?.length ?? 0) + (spec.tcp?.length ?? 0) === 0)
    report('RIPSTOP_MISSING_FIELD', 'error', ['spec'], 'give at least one of http, tls, tcp');
  for (const [index, route] of (spec.http ?? []).entries()) checkRoute(route, ['spec', 'http', index], report);
}

function checkRoute(route: HTTPRoute, path: readonly (string | number)[], report: Report): void {
  const { route: destinations, redirect, directResponse, delegate } = route;
  if (destinations === undefined && redirect === undefined && directResponse === undefined && delegate === undefined) {
    report('RIPSTOP_MISSING_FIELD', 'error', path, 'a route needs one of route, redirect, directResponse, delegate');
  }
  if (destinations !== undefined) {
    if (destinations.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'route'], 'give at least one destination');
    const sum = destinations.reduce((total, entry) => total + (entry.weight ?? 0), 0);
    if (destinations.length > 1 && sum === 0)
      report('RIPSTOP_WEIGHT_SUM', 'error', [...path, 'route'], 'weights add up to 0; give at least one destination a weight');
  }
  checkRetryOn(route.retries?.retryOn, [...path, 'retries', 'retryOn'], report);
  if (redirect?.redirectCode !== undefined && ![301, 302, 303, 307, 308].includes(redirect.redirectCode))
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      [...path, 'redirect', 'redirectCode'],
      `${redirect.redirectCode} is not one of 301, 302, 303, 307, 308`,
    );
  for (const [index, match] of (route.match ?? []).entries()) {
    checkClaims(match, [...path, 'match', index], report);
    for (const [field, value] of Object.entries({ uri: match.uri, authority: match.authority, method: match.method, scheme: match.scheme }))
      checkRegex(value?.regex, [...path, 'match', index, field, 'regex'], report);
    for (const field of ['headers', 'withoutHeaders', 'queryParams'] as const) {
      for (const [name, value] of Object.entries(match[field] ?? {}))
        checkRegex(value?.regex, [...path, 'match', index, field, name, 'regex'], report);
    }
  }
  for (const [index, origin] of (route.corsPolicy?.allowOrigins ?? []).entries())
    checkRegex(origin.regex, [...path, 'corsPolicy', 'allowOrigins', index, 'regex'], report);
}

function checkServiceEntry(spec: ServiceEntrySpec, report: Report): void {
  const tcp = (spec.ports ?? []).some(({ protocol = 'TCP' }) => /^(TCP|MONGO|REDIS|MYSQL)$/i.test(protocol));
  if (spec.hosts.length > 1 && tcp && (spec.addresses?.length ?? 0) === 0)
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      ['spec', 'hosts'],
      'several hosts on a TCP port cannot be told apart: give each its own ServiceEntry',
    );
}

function checkAuthorizationPolicy(spec: AuthorizationPolicySpec, report: Report): void {
  checkTargets(spec, report);
  for (const [index, rule] of (spec.rules ?? []).entries()) checkRule(rule, ['spec', 'rules', index], report);
}

/** Ports are numbers in text, without wildcards (Istio's validation). */
function checkPorts(values: readonly string[] | undefined, path: readonly (string | number)[], report: Report): void {
  for (const [index, value] of (values ?? []).entries()) {
    if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535)
      report('RIPSTOP_BAD_VALUE', 'error', [...path, index], `${JSON.stringify(value)} is no port: give a number up to 65535, without "*"`);
  }
}

function checkRule(rule: Rule, path: readonly (string | number)[], report: Report): void {
  for (const [index, { source }] of (rule.from ?? []).entries()) {
    for (const [field, values] of Object.entries(source ?? {}))
      checkValues(values as readonly string[], [...path, 'from', index, 'source', field], report);
  }
  for (const [index, { operation }] of (rule.to ?? []).entries()) {
    for (const field of ['ports', 'notPorts'] as const) checkPorts(operation?.[field], [...path, 'to', index, 'operation', field], report);
    for (const [field, values] of Object.entries(operation ?? {}))
      checkValues(values as readonly string[], [...path, 'to', index, 'operation', field], report);
    for (const value of [...(operation?.paths ?? []), ...(operation?.notPaths ?? [])]) {
      if (/\{\*\*?\}/.test(value) && !value.startsWith('/'))
        report(
          'RIPSTOP_BAD_VALUE',
          'error',
          [...path, 'to', index, 'operation', 'paths'],
          `path template ${JSON.stringify(value)} must begin with /`,
        );
    }
  }
  for (const [index, condition] of (rule.when ?? []).entries()) {
    if (condition.key === 'destination.port')
      for (const field of ['values', 'notValues'] as const) checkPorts(condition[field], [...path, 'when', index, field], report);
    if (condition.values === undefined && condition.notValues === undefined)
      report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'when', index], 'a condition needs values or notValues');
    checkConditionKey(condition.key, [...path, 'when', index, 'key'], report);
  }
}

function checkConditionKey(key: string, path: Path, report: Report): void {
  if (CONDITION_KEYS.some((known) => key === known || (known.endsWith('[') && key.startsWith(known) && key.endsWith(']')))) return;
  if (/^experimental\.envoy\.filters\.[^[]+\[.+\]$/.test(key))
    report('RIPSTOP_UNSUPPORTED_FIELD', 'error', path, `${JSON.stringify(key)} asks for metadata of an Envoy filter, and there is none`);
  else
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      path,
      `unknown key ${JSON.stringify(key)}: known are ${CONDITION_KEYS.map((known) => (known.endsWith('[') ? `${known}…]` : known)).join(', ')}`,
    );
}

function checkValues(values: readonly string[], path: readonly (string | number)[], report: Report): void {
  for (const [index, value] of values.entries())
    if (value === '') report('RIPSTOP_BAD_VALUE', 'error', [...path, index], 'an empty value matches nothing: remove it');
}
