import type { Random } from '../ports.ts';
import type { Balancer, Host } from './balancer.ts';
import { EdfScheduler } from './edf.ts';

/** Equal weights: a cursor with a random start. Unequal weights: earliest deadline first. */
export function roundRobin<H extends Host>(hosts: readonly H[], random: Random): Balancer<H> {
  if (hosts.every((host) => host.weight === hosts[0]!.weight)) {
    let cursor = Math.floor(random() * hosts.length);
    return { pick: () => hosts[cursor++ % hosts.length]! };
  }
  const scheduler = new EdfScheduler(hosts, (host) => host.weight);
  return { pick: () => scheduler.next() };
}

/** Uniform, weighted by nothing (Envoy RANDOM). */
export function randomBalancer<H extends Host>(hosts: readonly H[], random: Random): Balancer<H> {
  return { pick: () => hosts[Math.floor(random() * hosts.length)]! };
}
