import type { Finding, MeshObject, Severity } from '../object.ts';
import type { DestinationRuleSpec, GatewaySpec, ServiceEntrySpec, VirtualServiceSpec } from '../types/networking.ts';
import type { AuthorizationPolicySpec } from '../types/security.ts';
import { formatPath, objectKey } from '../validate.ts';
import { analyzeAuthorizers } from './authorizers.ts';
import { analyzeGatewayConflicts } from './gateway-conflicts.ts';
import { analyzeGatewayCredentials } from './gateway-credentials.ts';
import type { Say } from './say.ts';

/** What the objects of a mesh say about each other, with Istio's codes where it has one. */
export function analyze(objects: readonly MeshObject[]): Finding[] {
  const mesh = new Index(objects);
  const findings: Finding[] = [];
  const report = (object: MeshObject, code: string, severity: Severity, path: readonly (string | number)[], message: string): void => {
    findings.push({ code, severity, object: objectKey(object), position: object.locate(path), path: formatPath(path), message });
  };
  for (const object of objects) {
    if (object.kind === 'VirtualService') analyzeVirtualService(object as MeshObject<VirtualServiceSpec>, mesh, report);
    if (object.kind === 'AuthorizationPolicy') analyzePolicy(object as MeshObject<AuthorizationPolicySpec>, mesh, report);
    if (object.kind === 'DestinationRule') analyzeRule(object as MeshObject<DestinationRuleSpec>, mesh, report);
  }
  analyzeConflicts(mesh, report);
  analyzeAuthorizers(mesh.policies, objects, (host) => mesh.hosts.has(host), report);
  analyzeGatewayConflicts(objects, report);
  analyzeGatewayCredentials(objects, report);
  return findings;
}

/** Names that exist, for cross references. */
class Index {
  readonly hosts = new Set<string>();
  readonly gateways = new Set<string>();
  readonly subsets = new Map<string, Set<string>>();
  readonly virtualServices: MeshObject<VirtualServiceSpec>[] = [];
  readonly policies: MeshObject<AuthorizationPolicySpec>[] = [];

  constructor(objects: readonly MeshObject[]) {
    for (const object of objects) {
      const { name, namespace } = object.metadata;
      if (object.kind === 'Service') this.hosts.add(`${name}.${namespace}.svc.cluster.local`);
      if (object.kind === 'ServiceEntry') for (const host of (object.spec as ServiceEntrySpec).hosts ?? []) this.hosts.add(host);
      if (object.kind === 'Gateway' && (object.spec as GatewaySpec).servers !== undefined) this.gateways.add(`${namespace}/${name}`);
      if (object.kind === 'VirtualService') this.virtualServices.push(object as MeshObject<VirtualServiceSpec>);
      if (object.kind === 'AuthorizationPolicy') this.policies.push(object as MeshObject<AuthorizationPolicySpec>);
      if (object.kind === 'DestinationRule') this.addSubsets(object as MeshObject<DestinationRuleSpec>);
    }
  }

  knows(host: string): boolean {
    if (this.hosts.has(host)) return true;
    if (host.startsWith('*')) return [...this.hosts].some((known) => known.endsWith(host.slice(1)));
    return [...this.hosts].some((known) => known.startsWith('*.') && host.endsWith(known.slice(1)));
  }

  private addSubsets({ spec, metadata }: MeshObject<DestinationRuleSpec>): void {
    const host = fullHost(spec.host, metadata.namespace);
    const known = this.subsets.get(host) ?? new Set();
    for (const subset of spec.subsets ?? []) known.add(subset.name);
    this.subsets.set(host, known);
  }
}

function fullHost(host: string, namespace: string): string {
  return host.includes('.') || host === '*' ? host : `${host}.${namespace}.svc.cluster.local`;
}

function analyzeVirtualService(object: MeshObject<VirtualServiceSpec>, mesh: Index, say: Say): void {
  const { spec, metadata } = object;
  for (const [index, gateway] of (spec.gateways ?? []).entries()) {
    if (gateway === 'mesh') continue;
    const name = gateway.includes('/') ? gateway : `${metadata.namespace}/${gateway}`;
    if (!mesh.gateways.has(name))
      say(object, 'IST0101', 'error', ['spec', 'gateways', index], `Referenced gateway not found: "${gateway}"`);
  }
  let catchAll = -1;
  for (const [index, route] of (spec.http ?? []).entries()) {
    if (catchAll !== -1)
      say(
        object,
        'IST0130',
        'warning',
        ['spec', 'http', index],
        `this route can never match: http[${catchAll}] already takes every request`,
      );
    const open =
      (route.match ?? []).length === 0 ||
      (route.match ?? []).some((match) =>
        Object.keys(match).every((key) => key === 'name' || (key === 'uri' && match.uri?.prefix === '/')),
      );
    if (open && catchAll === -1) catchAll = index;
    for (const [at, entry] of (route.route ?? []).entries()) {
      const path = ['spec', 'http', index, 'route', at, 'destination'];
      const host = fullHost(entry.destination.host, metadata.namespace);
      if (!mesh.knows(host)) say(object, 'IST0101', 'error', [...path, 'host'], `Referenced host not found: "${entry.destination.host}"`);
      else if (entry.destination.subset !== undefined && !mesh.subsets.get(host)?.has(entry.destination.subset)) {
        say(
          object,
          'IST0101',
          'error',
          [...path, 'subset'],
          `Referenced host+subset in destinationrule not found: "${entry.destination.host}+${entry.destination.subset}"`,
        );
      }
    }
  }
}

function analyzeRule(object: MeshObject<DestinationRuleSpec>, mesh: Index, say: Say): void {
  const host = fullHost(object.spec.host, object.metadata.namespace);
  if (!mesh.knows(host) && !host.startsWith('*'))
    say(object, 'IST0101', 'warning', ['spec', 'host'], `Referenced host not found: "${object.spec.host}"`);
  const seen = new Set<string>();
  for (const [index, { name }] of (object.spec.subsets ?? []).entries()) {
    if (seen.has(name))
      say(
        object,
        'RIPSTOP_DUPLICATE_SUBSET',
        'error',
        ['spec', 'subsets', index],
        `subset "${name}" is defined twice: the first one is used`,
      );
    seen.add(name);
  }
}

/** DENY is looked at before ALLOW: a DENY for everything makes every ALLOW beside it void. */
function analyzePolicy(object: MeshObject<AuthorizationPolicySpec>, mesh: Index, say: Say): void {
  const { spec, metadata } = object;
  if (spec.action !== 'DENY' || !(spec.rules ?? []).some((rule) => Object.keys(rule ?? {}).length === 0)) return;
  if (Object.keys(spec.selector?.matchLabels ?? {}).length > 0) return;
  for (const allow of mesh.policies) {
    const covered = allow.metadata.namespace === metadata.namespace || metadata.namespace === 'istio-system';
    if ((allow.spec.action ?? 'ALLOW') !== 'ALLOW' || !covered) continue;
    const where = `${object.source.file}:${object.source.line}`;
    say(
      allow,
      'RIPSTOP_DENY_OVER_ALLOW',
      'warning',
      [],
      `DENY wins: this ALLOW never takes effect while AuthorizationPolicy ${metadata.namespace}/${metadata.name} (${where}) denies everything; remove or narrow that one`,
    );
  }
}

/** Two mesh VirtualServices for one host: the oldest is used, the others dropped. */
function analyzeConflicts(mesh: Index, say: Say): void {
  const owners = new Map<string, MeshObject<VirtualServiceSpec>>();
  const ordered = [...mesh.virtualServices].sort(
    (a, b) => a.metadata.creationTimestamp - b.metadata.creationTimestamp || (objectKey(a) < objectKey(b) ? -1 : 1),
  );
  for (const object of ordered) {
    if (object.spec.gateways !== undefined && !object.spec.gateways.includes('mesh')) continue;
    for (const [index, host] of (object.spec.hosts ?? []).entries()) {
      const full = fullHost(host, object.metadata.namespace);
      const owner = owners.get(full);
      if (owner === undefined) owners.set(full, object);
      else
        say(
          object,
          'IST0109',
          'error',
          ['spec', 'hosts', index],
          `The VirtualServices ${objectKey(owner).split(' ')[1]},${objectKey(object).split(' ')[1]} associated with mesh gateway define the same host ${full}: the first one is used`,
        );
    }
  }
}
