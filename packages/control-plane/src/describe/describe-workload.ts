import type { WorkloadInstance } from '../model/workload.ts';
import { isDryRun, type PolicyObject } from '../push/authorization.ts';
import type { PushContext } from '../push/push-context.ts';
import { type DescribedMtls, type DescribedPolicy, type DescribedWorkload, documentOf } from './description.ts';

/** Who may call a workload, and how: what mTLS it asks for and which policies judge its requests. */
export function describeInstance(instance: WorkloadInstance, push: PushContext): DescribedWorkload {
  const { name, namespace, labels, address, serviceAccount, health } = instance;
  const { custom, deny, allow, audit, requestAuthentications, unenforced } = push.policiesFor(namespace, labels);
  return {
    name: `${name}.${namespace}`,
    address,
    labels,
    serviceAccount,
    health,
    mtls: describeMtls(instance, push),
    policies: [...custom, ...deny, ...allow, ...audit].map(describePolicy),
    requestAuthentications: requestAuthentications.map(documentOf),
    unenforced: unenforced.map(documentOf),
  };
}

function describePolicy(object: PolicyObject): DescribedPolicy {
  return { ...documentOf(object), action: object.spec.action ?? 'ALLOW', dryRun: isDryRun(object) };
}

function describeMtls({ namespace, labels }: WorkloadInstance, { peerAuthentications }: PushContext): DescribedMtls {
  const sources = peerAuthentications.sourcesFor(namespace, labels);
  const mode = peerAuthentications.modeFor(namespace, labels);
  const named = new Set(sources.flatMap(({ spec }) => Object.keys(spec.portLevelMtls ?? {})));
  const ports = [...named]
    .map((port) => [port, peerAuthentications.modeFor(namespace, labels, Number(port))] as const)
    .filter(([, own]) => own !== mode);
  return { mode, ports: Object.fromEntries(ports), from: sources.map(documentOf) };
}
