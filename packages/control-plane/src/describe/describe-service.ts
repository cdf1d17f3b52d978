import type { Finding, HTTPMatchRequest, HTTPRoute, StringMatch, TrafficPolicy } from '@ripstop/istio-api';
import type { WorkloadInstance } from '../model/workload.ts';
import type { MergedDestinationRule } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import { hostMatches, type MeshService, resolveHost, selects } from '../push/service.ts';
import { governingRules, type VirtualService, visibleVirtualServices } from '../push/virtual-services.ts';
import { describeInstance } from './describe-workload.ts';
import { type DescribedRoutes, type DescribedRule, documentOf, type ServiceDescription } from './description.ts';

/** What the documents in force make of a service, as a client of its own namespace sees it. */
export function describeService(service: MeshService, push: PushContext, findings: readonly Finding[]): ServiceDescription {
  const { hostname, ports, namespace, object } = service;
  const governing = push.virtualServices.filter((candidate) => leadsTo(candidate, service, push) || decidesAbout(candidate, hostname));
  const rule = push.destinationRules.findInbound(hostname, namespace, namespace);
  const workloads = instancesOf(service, push).map((instance) => describeInstance(instance, push));
  const description = {
    ...documentOf(object),
    host: hostname,
    ports: ports.map((port) => ({
      port: port.port,
      name: port.name,
      protocol: port.protocol,
      targetPort: port.targetPort,
      endpoints: push.endpoints(service, port).length,
    })),
    virtualServices: governing.map((candidate) => describeRoutes(candidate, service, push)),
    destinationRule: rule === undefined ? undefined : describeRule(rule, service, push),
    workloads,
  };
  return { ...description, findings: about(description, findings) };
}

/** The workloads that a Service selects. */
function instancesOf({ selector, namespace }: MeshService, push: PushContext): WorkloadInstance[] {
  if (selector === undefined || Object.keys(selector).length === 0) return [];
  return push.instances
    .filter((instance) => instance.namespace === namespace && selects(selector, instance.labels))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** `hosts: ["*"]` of a gateway alone is about whatever comes there: about a service only where it leads to it. */
function decidesAbout(candidate: VirtualService, hostname: string): boolean {
  return isFor(candidate, hostname) && (candidate.gateways.includes('mesh') || !candidate.hosts.every((host) => host === '*'));
}

function isFor({ hosts }: VirtualService, hostname: string): boolean {
  return hosts.some((host) => host === hostname || (host.startsWith('*') && hostMatches(host, hostname)));
}

function leadsTo(candidate: VirtualService, service: MeshService, push: PushContext): boolean {
  return candidate.http.some(({ route }) => destinations(route).some(({ host }) => isHost(host, candidate, service, push)));
}

function isHost(host: string, { namespace }: VirtualService, { hostname }: MeshService, { mesh }: PushContext): boolean {
  return resolveHost(host, namespace, mesh.domain) === hostname;
}

function destinations({ route = [], mirror, mirrors = [] }: HTTPRoute): { readonly host: string; readonly subset?: string }[] {
  const mirrored = [...(mirror === undefined ? [] : [mirror]), ...mirrors.map(({ destination }) => destination)];
  return [...route.map(({ destination }) => destination), ...mirrored];
}

function describeRoutes(candidate: VirtualService, service: MeshService, push: PushContext): DescribedRoutes {
  const { source, gateways, hosts, http } = candidate;
  const own = isFor(candidate, service.hostname);
  const governs = service.ports.some(({ port }) => governingRule(service, port, push) === candidate);
  const lines = http.filter(({ route }) => own || destinations(route).some(({ host }) => isHost(host, candidate, service, push)));
  return {
    ...documentOf(source),
    gateways,
    hosts,
    used: !own || !gateways.includes('mesh') || governs,
    routes: lines.map(({ route }) => routeLine(route)),
  };
}

/** The one that clients in the namespace of the service use for it. */
function governingRule({ hostname, namespace }: MeshService, port: number, push: PushContext): VirtualService | undefined {
  const rules = visibleVirtualServices(push.virtualServices, namespace).filter(
    (rule) => rule.gateways.includes('mesh') && (rule.port ?? port) === port && (!rule.gatewayApi || rule.namespace === namespace),
  );
  return governingRules([hostname], rules).get(hostname);
}

/** `uri prefix /api, header end-user = jason → reviews v2 (80 %), ratings (20 %)`. */
function routeLine(route: HTTPRoute): string {
  const matches = (route.match ?? []).map(matchText);
  return `${matches.length === 0 ? 'any request' : matches.join(' or ')} → ${targetText(route)}${extras(route)}`;
}

function targetText({ route = [], redirect, directResponse, delegate }: HTTPRoute): string {
  if (redirect !== undefined) return 'redirect';
  if (directResponse !== undefined) return `status ${directResponse.status}`;
  if (route.length === 0) return delegate === undefined ? 'nothing' : `delegate ${delegate.name}`;
  return route
    .map(({ destination: { host, subset, port }, weight }) => {
      const name = [host, subset].filter((part) => part !== undefined).join(' ');
      const share = route.length > 1 ? ` (${weight ?? 0} %)` : '';
      return `${name}${port?.number === undefined ? '' : `:${port.number}`}${share}`;
    })
    .join(', ');
}

function extras({ fault, timeout, retries, mirror, mirrors }: HTTPRoute): string {
  const parts = [
    fault === undefined ? '' : 'fault',
    timeout === undefined ? '' : `timeout ${timeout}`,
    retries === undefined ? '' : `${retries.attempts ?? 'default'} retries`,
    (mirror ?? mirrors) === undefined ? '' : 'mirrored',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `; ${parts.join(', ')}`;
}

function matchText({ uri, method, authority, headers = {}, port, sourceLabels, gateways }: HTTPMatchRequest): string {
  const parts = [
    stringText('uri', uri),
    stringText('method', method),
    stringText('authority', authority),
    ...Object.entries(headers).map(([name, value]) => stringText(`header ${name}`, value) || `header ${name}`),
    port === undefined ? '' : `port ${port}`,
    sourceLabels === undefined
      ? ''
      : `from ${Object.entries(sourceLabels)
          .map((label) => label.join('='))
          .join()}`,
    gateways === undefined ? '' : `at ${gateways.join()}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'any request' : parts.join(', ');
}

function stringText(what: string, value: StringMatch | undefined): string {
  if (value?.exact !== undefined) return `${what} = ${value.exact}`;
  if (value?.prefix !== undefined) return `${what} prefix ${value.prefix}`;
  return value?.regex === undefined ? '' : `${what} ~ ${value.regex}`;
}

function describeRule(
  { source, host, trafficPolicy, subsets }: MergedDestinationRule,
  service: MeshService,
  push: PushContext,
): DescribedRule {
  const [first] = service.ports;
  const endpoints = first === undefined ? [] : push.endpoints(service, first);
  return {
    ...documentOf(source),
    host,
    settings: Object.keys(trafficPolicy ?? {}).filter((name) => trafficPolicy?.[name as keyof TrafficPolicy] !== undefined),
    tls: trafficPolicy?.tls?.mode,
    subsets: subsets.map(({ name, labels = {} }) => ({
      name,
      labels,
      endpoints: endpoints.filter((endpoint) => selects(labels, endpoint.labels)).length,
    })),
  };
}

/** Findings about the documents of a description. */
function about(description: Omit<ServiceDescription, 'findings'>, findings: readonly Finding[]): readonly Finding[] {
  const { virtualServices, destinationRule, workloads } = description;
  const documents = [
    description,
    ...virtualServices,
    ...(destinationRule === undefined ? [] : [destinationRule]),
    ...workloads.flatMap(({ policies, requestAuthentications, mtls }) => [...policies, ...requestAuthentications, ...mtls.from]),
  ];
  const named = new Set(documents.map(({ kind, name }) => `${kind} ${name}`));
  return findings.filter(({ object }) => named.has(object));
}
