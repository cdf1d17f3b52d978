import type { Random } from '../ports.ts';
import type { Balancer, Host, Warmup } from './balancer.ts';
import { EdfScheduler } from './edf.ts';

/** Equal weights and nobody warming up: a cursor with a random start. Else: earliest deadline first. */
export function roundRobin<H extends Host>(hosts: readonly H[], random: Random, warmup?: Warmup<H>): Balancer<H> {
  if (equallyWeighted(hosts, warmup)) {
    let cursor = Math.floor(random() * hosts.length);
    return { pick: () => hosts[cursor++ % hosts.length]! };
  }
  const scheduler = new EdfScheduler(hosts, weighing(warmup), headStart(random));
  return { pick: () => scheduler.next() };
}

/** Uniform, weighted by nothing (Envoy RANDOM). */
export function randomBalancer<H extends Host>(hosts: readonly H[], random: Random): Balancer<H> {
  return { pick: () => hosts[Math.floor(random() * hosts.length)]! };
}

/** True when a scheduler by weight would change nothing. */
export function equallyWeighted<H extends Host>(hosts: readonly H[], warmup: Warmup<H> | undefined): boolean {
  return hosts.every((host) => host.weight === hosts[0]!.weight && (warmup === undefined || warmup.factorOf(host) === 1));
}

export function weighing<H extends Host>(warmup: Warmup<H> | undefined): (host: H) => number {
  return warmup === undefined ? (host) => host.weight : (host) => host.weight * warmup.factorOf(host);
}

/** How far into its sequence a scheduler begins. */
export function headStart(random: Random): number {
  return Math.floor(random() * 2 ** 32);
}
