import type { Finding } from '@ripstop/istio-api';
import type { WorkloadInstance } from '../model/workload.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';
import { describeService } from './describe-service.ts';
import { describeInstance } from './describe-workload.ts';
import type { ServiceDescription, WorkloadDescription } from './description.ts';

/** Nothing has that name; the message lists what there is. */
export class NothingToDescribe extends Error {}

/** A service by `name`, `name.namespace` or its full host. Throws {@link NothingToDescribe}. */
export function describeServiceNamed(name: string, push: PushContext, findings: readonly Finding[]): ServiceDescription {
  const service = push.services.find((candidate) => isCalled(candidate, name));
  if (service === undefined)
    throw new NothingToDescribe(`there is no service ${name}; services are: ${listed(push.services.map(({ hostname }) => hostname))}`);
  return describeService(service, push, findings);
}

/**
 * A pod or a process by `name.namespace`, or `name` in `default`; else the only one whose name begins so or whose `app` label it is
 * (processes have names with a random end). Throws {@link NothingToDescribe}.
 */
export function describeWorkloadNamed(name: string, push: PushContext, findings: readonly Finding[]): WorkloadDescription {
  const instance = push.instances.find((candidate) => isInstance(candidate, name)) ?? onlyOne(name, push.instances);
  const services = push.servicesOfWorkload(instance.namespace, instance.labels);
  return { ...describeInstance(instance, push), services: services.map((service) => describeService(service, push, findings)) };
}

function isInstance({ name, namespace }: WorkloadInstance, asked: string): boolean {
  return `${name}.${namespace}` === asked || (name === asked && namespace === 'default');
}

function onlyOne(asked: string, instances: readonly WorkloadInstance[]): WorkloadInstance {
  const meant = instances.filter(
    ({ name, namespace, labels }) =>
      [name, labels.app].some((own) => own === asked || `${own}.${namespace}` === asked) || name.startsWith(`${asked}-`),
  );
  const names = (of: readonly WorkloadInstance[]): string => listed(of.map(({ name, namespace }) => `${name}.${namespace}`));
  const ids = new Set(meant.map(({ name, namespace }) => `${name}.${namespace}`));
  if (ids.size === 1) return meant[0]!;
  if (ids.size > 1) throw new NothingToDescribe(`${asked} may be each of these, name one: ${names(meant)}`);
  throw new NothingToDescribe(`there is no workload ${asked}; workloads are: ${names(instances)}`);
}

function isCalled({ hostname, name, namespace }: MeshService, asked: string): boolean {
  return hostname === asked || `${name}.${namespace}` === asked || (name === asked && namespace === 'default');
}

function listed(names: readonly string[]): string {
  const all = [...new Set(names)].sort();
  if (all.length === 0) return 'none';
  return all.length > 20 ? `${all.slice(0, 20).join(', ')} and ${all.length - 20} more` : all.join(', ');
}
