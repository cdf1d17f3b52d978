import {
  CA_SUFFIX,
  type ClientTLSSettings,
  type DestinationRuleSpec,
  type MeshObject,
  type ServiceEntrySpec,
  type ServiceSpec,
} from '@ripstop/istio-api';
import type { Certificates } from './certificates.ts';
import { condition, type ObjectStatus, type Problem, type StatusPart } from './conditions.ts';
import { type BackendTlsPolicySpec, GATEWAY_API, type ObjectRef } from './gateway-types.ts';

type Policy = MeshObject<BackendTlsPolicySpec>;
type TargetRef = NonNullable<BackendTlsPolicySpec['targetRefs']>[number];

/** A bundle that cannot be had: nothing is trusted, so nothing is called (Istio: `invalid://`). */
export const NO_TRUST = 'invalid://';

/** A DestinationRule that was made, and the first of the policies that it was made of. */
export interface PolicyRule {
  readonly rule: MeshObject<DestinationRuleSpec>;
  readonly source: MeshObject;
}

export interface BackendTlsPolicies {
  readonly destinationRules: readonly PolicyRule[];
  readonly statuses: readonly ObjectStatus[];
}

/** What a policy says about one host. */
interface HostTls {
  readonly policy: Policy;
  readonly target: TargetRef;
  readonly host: string;
  /** Undefined = all ports. */
  readonly port: number | undefined;
  readonly tls: ClientTLSSettings;
}

/**
 * BackendTLSPolicies as DestinationRules with TLS of mode SIMPLE, one for each host (Istio: backend_policies.go). A policy whose CA
 * cannot be had makes one that trusts nobody. `objects` oldest first.
 */
export function backendTlsPolicies(objects: readonly MeshObject[], certificates: Certificates, domain: string): BackendTlsPolicies {
  const policies = objects.filter(
    ({ kind, apiVersion, metadata }) =>
      kind === 'BackendTLSPolicy' &&
      apiVersion.startsWith(`${GATEWAY_API}/`) &&
      metadata.annotations['istio.io/ignore-policy-attachment']?.toLowerCase() !== 'true',
  ) as Policy[];
  const targets = new Targets(objects, domain);
  const made: HostTls[] = [];
  const statuses: ObjectStatus[] = [];
  for (const policy of policies) {
    const { tls, problem } = clientTls(policy, certificates);
    const parts: StatusPart[] = [];
    for (const [index, target] of (policy.spec.targetRefs ?? []).entries()) {
      const path = ['spec', 'targetRefs', index];
      const found = targets.find(policy, target, path);
      const loser = 'problem' in found ? undefined : conflictProblem(policy, target, policies, path);
      const refused = 'problem' in found ? found.problem : loser;
      if (!('problem' in found) && loser === undefined) {
        for (const host of found.hosts) made.push({ policy, target, host, port: found.port, tls });
      }
      parts.push({
        name: `target ${target.kind ?? ''} ${target.name}${target.sectionName === undefined ? '' : ` ${target.sectionName}`}`,
        conditions: [
          condition('Accepted', path, refused ?? (problem && { ...problem, reason: 'NoValidCACertificate' }), VALID),
          condition('ResolvedRefs', path, problem, VALID),
        ],
      });
    }
    statuses.push({ object: policy, conditions: [], parts });
  }
  return { destinationRules: destinationRules(made), statuses };
}

/** SDS names of the CA bundles that rules name. */
export function bundlesOf(rules: readonly PolicyRule[]): ReadonlySet<string> {
  const settings = rules.flatMap(({ rule: { spec } }) => [spec.trafficPolicy, ...(spec.trafficPolicy?.portLevelSettings ?? [])]);
  return new Set(settings.flatMap((entry) => (entry?.tls?.credentialName === undefined ? [] : `${entry.tls.credentialName}${CA_SUFFIX}`)));
}

const VALID = { message: 'Configuration is valid' };

function clientTls({ spec, metadata }: Policy, certificates: Certificates): { tls: ClientTLSSettings; problem: Problem | undefined } {
  const { hostname = '', subjectAltNames = [], caCertificateRefs = [], wellKnownCACertificates } = spec.validation ?? {};
  const names = subjectAltNames.flatMap(({ type, hostname: host, uri }) => (type === 'URI' ? uri : host) ?? []);
  const tls: ClientTLSSettings = { mode: 'SIMPLE', sni: hostname, ...(names.length === 0 ? {} : { subjectAltNames: names }) };
  if (wellKnownCACertificates === 'System') return { tls, problem: undefined };
  const path = ['spec', 'validation'];
  if (wellKnownCACertificates !== undefined) {
    const message = `Unknown wellKnownCACertificates: ${wellKnownCACertificates}`;
    return {
      tls: { ...tls, credentialName: NO_TRUST },
      problem: { reason: 'Invalid', message, path: [...path, 'wellKnownCACertificates'] },
    };
  }
  const [ref] = caCertificateRefs;
  if (ref === undefined) return { tls, problem: undefined };
  const problem = bundleProblem(ref, metadata.namespace, certificates);
  const credentialName = problem === undefined ? `configmap://${metadata.namespace}/${ref.name}` : NO_TRUST;
  return { tls: { ...tls, credentialName }, problem };
}

function bundleProblem({ name, kind = '', group = '' }: ObjectRef, namespace: string, certificates: Certificates): Problem | undefined {
  const path = ['spec', 'validation', 'caCertificateRefs', 0];
  if (group !== '' || kind !== 'ConfigMap') {
    return { reason: 'InvalidKind', message: `Certificate reference not supported: unsupported kind ${kind}`, path };
  }
  const key = `${namespace}/${name}`;
  if (!certificates.has('ConfigMap', key)) {
    const message = `Certificate reference not found: reference ${key} (of kind ConfigMap) not found`;
    return { reason: 'InvalidCACertificateRef', message, path };
  }
  const why = certificates.bundleProblem('ConfigMap', key);
  return why === undefined ? undefined : { reason: 'InvalidCACertificateRef', message: `Certificate invalid: ${key}: ${why}`, path };
}

/** Services and ServiceEntries that policies aim at: they must be of the policy's namespace. */
class Targets {
  private readonly found = new Map<string, { readonly hosts: readonly string[]; readonly ports: readonly NamedPort[] }>();

  constructor(objects: readonly MeshObject[], domain: string) {
    for (const { apiVersion, kind, metadata, spec } of objects) {
      const { namespace, name } = metadata;
      if (apiVersion === 'v1' && kind === 'Service') {
        const ports = ((spec as ServiceSpec).ports ?? []).map((port) => ({ name: port.name ?? '', number: port.port }));
        this.found.set(`/Service ${namespace}/${name}`, { hosts: [`${name}.${namespace}.svc.${domain}`], ports });
      }
      if (kind === 'ServiceEntry') {
        const { hosts, ports = [] } = spec as ServiceEntrySpec;
        this.found.set(`networking.istio.io/ServiceEntry ${namespace}/${name}`, { hosts, ports });
      }
    }
  }

  find(
    { metadata }: Policy,
    { group = '', kind = '', name, sectionName }: TargetRef,
    path: Problem['path'],
  ): { readonly hosts: readonly string[]; readonly port: number | undefined } | { readonly problem: Problem } {
    const key = `${metadata.namespace}/${name}`;
    const invalid = (why: string, at: Problem['path']): { readonly problem: Problem } => ({
      problem: { reason: 'TargetNotFound', message: `targetRefs invalid: ${why}`, path: at },
    });
    const entry = this.found.get(`${group}/${kind} ${key}`);
    if (entry === undefined) return invalid(`reference ${key} (of kind ${kind}) not found`, [...path, 'name']);
    if (sectionName === undefined || sectionName === '') return { hosts: entry.hosts, port: undefined };
    const port = entry.ports.find((candidate) => candidate.name === sectionName);
    if (port === undefined) return invalid(`sectionName "${sectionName}" does not exist in ${kind} ${key}`, [...path, 'sectionName']);
    return { hosts: entry.hosts, port: port.number };
  }
}

interface NamedPort {
  readonly name: string;
  readonly number: number;
}

/** Of two policies for one target the older one counts, then the one whose name comes first. */
function conflictProblem(policy: Policy, target: TargetRef, all: readonly Policy[], path: Problem['path']): Problem | undefined {
  const winner = all.find(
    (other) =>
      other !== policy &&
      other.metadata.namespace === policy.metadata.namespace &&
      (other.spec.targetRefs ?? []).some((entry) => sameTarget(entry, target)) &&
      comesBefore(other, policy),
  );
  if (winner === undefined) return undefined;
  const message = `Conflicts with BackendTLSPolicy "${winner.metadata.name}" targeting the same backend`;
  return { reason: 'Conflicted', message, path };
}

function sameTarget(a: TargetRef, b: TargetRef): boolean {
  return (a.group ?? '') === (b.group ?? '') && a.kind === b.kind && a.name === b.name && a.sectionName === b.sectionName;
}

function comesBefore({ metadata: a }: Policy, { metadata: b }: Policy): boolean {
  return a.creationTimestamp === b.creationTimestamp ? a.name < b.name : a.creationTimestamp < b.creationTimestamp;
}

/** One rule for each host; of several settings for one port the first counts. */
function destinationRules(made: readonly HostTls[]): PolicyRule[] {
  const byHost = new Map<string, HostTls[]>();
  for (const entry of made) {
    const key = `${entry.policy.metadata.namespace} ${entry.target.kind} ${entry.target.name} ${entry.host}`;
    byHost.set(key, [...(byHost.get(key) ?? []), entry]);
  }
  return [...byHost.values()].map((entries) => ({ rule: destinationRule(entries), source: entries[0]!.policy }));
}

function destinationRule(entries: readonly HostTls[]): MeshObject<DestinationRuleSpec> {
  const { policy, target, host } = entries[0]!;
  const whole = entries.find(({ port }) => port === undefined);
  const ports = new Map<number, ClientTLSSettings>();
  for (const { port, tls } of entries) if (port !== undefined && !ports.has(port)) ports.set(port, tls);
  const portLevelSettings = [...ports].sort(([a], [b]) => a - b).map(([number, tls]) => ({ port: { number }, tls }));
  const part = target.kind === 'ServiceEntry' ? `~${host.replaceAll('.', '-')}` : '';
  return {
    ...policy,
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { ...policy.metadata, name: `${target.name}${part}~istio-autogenerated-k8s-gateway` },
    spec: {
      host,
      trafficPolicy: {
        ...(whole === undefined ? {} : { tls: whole.tls }),
        ...(portLevelSettings.length === 0 ? {} : { portLevelSettings }),
      },
    },
  };
}
