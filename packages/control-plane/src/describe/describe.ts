import type { Finding } from '@ripstop/istio-api';
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

/** A pod or a process by `name.namespace`, or `name` in `default`. Throws {@link NothingToDescribe}. */
export function describeWorkloadNamed(name: string, push: PushContext, findings: readonly Finding[]): WorkloadDescription {
  const instance = push.instances.find(
    ({ name: own, namespace }) => `${own}.${namespace}` === name || (own === name && namespace === 'default'),
  );
  if (instance === undefined)
    throw new NothingToDescribe(
      `there is no workload ${name}; workloads are: ${listed(push.instances.map(({ name: own, namespace }) => `${own}.${namespace}`))}`,
    );
  const services = push.servicesOfWorkload(instance.namespace, instance.labels);
  return { ...describeInstance(instance, push), services: services.map((service) => describeService(service, push, findings)) };
}

function isCalled({ hostname, name, namespace }: MeshService, asked: string): boolean {
  return hostname === asked || `${name}.${namespace}` === asked || (name === asked && namespace === 'default');
}

function listed(names: readonly string[]): string {
  const all = [...new Set(names)].sort();
  if (all.length === 0) return 'none';
  return all.length > 20 ? `${all.slice(0, 20).join(', ')} and ${all.length - 20} more` : all.join(', ');
}
