import type { Exchange } from '@ripstop/core';

/** How long a caller may send nothing of a body that filters wait for: the route's idle timeout, else the connection manager's; 0 = for ever. */
export function bodyIdleMs({ route, manager }: Exchange): number {
  const ofRoute = route?.action.kind === 'forward' ? route.action.idleTimeoutMs : 0;
  return ofRoute > 0 ? ofRoute : manager.streamIdleTimeoutMs;
}
