import type { EndpointState } from './endpoint-state.ts';

/** A balancer among the hosts of a cluster. Undefined: nobody, as a zone may be empty and panic may be refused. */
export interface Pick {
  pick(hash: bigint | undefined, attempt: number): EndpointState | undefined;
}
