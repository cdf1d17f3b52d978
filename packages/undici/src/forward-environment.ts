import type { WalkEnvironment } from '@ripstop/core';
import type { EndpointPools } from './endpoint-pools.ts';

/** What every exchange of a dispatcher shares. */
export interface ForwardEnvironment extends WalkEnvironment {
  readonly pools: EndpointPools;
  readonly onError: (error: Error) => void;
  /** Called once per exchange, at its end. */
  readonly onFinished: () => void;
}
