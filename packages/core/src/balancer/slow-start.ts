import type { Clock } from '../ports.ts';
import type { Warmup } from './balancer.ts';

/** Envoy's SlowStartConfig, decoded. */
export interface SlowStartSpec {
  /** How long a new host warms up, in milliseconds. */
  readonly windowMs: number;
  /** Shape of the way up: 1 is linear, more is faster at first. */
  readonly aggression: number;
  /** The least share of its weight that a host has, 0 to 1. */
  readonly minimumShare: number;
}

/** A host that came `t` ago has max(minimum, (t / window)^(1 / aggression)) of its weight until the window is over. */
export function slowStart<H extends { readonly addedAt: number }>(spec: SlowStartSpec, clock: Clock): Warmup<H> {
  const exponent = 1 / (spec.aggression > 0 ? spec.aggression : 1);
  return {
    factorOf: ({ addedAt }) => {
      const age = clock.now() - addedAt;
      if (age >= spec.windowMs) return 1;
      return Math.max((Math.max(1, age) / spec.windowMs) ** exponent, spec.minimumShare);
    },
  };
}
