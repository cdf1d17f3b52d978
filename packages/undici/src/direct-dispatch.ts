import type { Snapshot } from '@ripstop/core';
import { Agent, type Dispatcher } from 'undici';
import type { Origin } from './origin.ts';
import { RequestError } from './request-error.ts';

/**
 * Carries what the mesh doesn't decrypt: `https:` origins go out with the app's own TLS, as through a sidecar, which sees only
 * bytes. The outbound traffic policy still holds: under REGISTRY_ONLY a host that no Service or ServiceEntry names is refused.
 */
export class DirectDispatch {
  readonly #agent: Dispatcher;

  constructor(agent: Dispatcher | undefined) {
    this.#agent = agent ?? new Agent();
  }

  /** Through `next` when the mesh stands as an interceptor in front of the app's own dispatcher. */
  dispatch(
    snapshot: Snapshot,
    origin: Origin,
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
    next: Dispatcher.Dispatch | undefined,
  ): boolean {
    if (!isAllowed(snapshot, origin)) {
      const message = `${origin.hostname}:${origin.port} is not in the service registry and outboundTrafficPolicy is REGISTRY_ONLY; add a ServiceEntry for it`;
      handler.onResponseError?.(undefined as never, new RequestError('RIPSTOP_REGISTRY_ONLY', message, 0, ''));
      return true;
    }
    return next === undefined ? this.#agent.dispatch(options, handler) : next(options, handler);
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  destroy(error: Error | null): Promise<void> {
    return this.#agent.destroy(error);
  }
}

/** Sidecars send the catch-all manager's route to BlackHoleCluster, or answer 502 themselves, under REGISTRY_ONLY. */
function isAllowed(snapshot: Snapshot, { hostname, port }: Origin): boolean {
  const allowAny = snapshot.outbound.catchAll.routes.virtualHosts.some((host) =>
    host.routes.some(({ action }) => action.kind === 'forward' && !action.clusterNames.includes('BlackHoleCluster')),
  );
  if (allowAny) return true;
  if (snapshot.clusters.has(`outbound|${port}||${hostname}`)) return true;
  for (let dot = hostname.indexOf('.'); dot >= 0; dot = hostname.indexOf('.', dot + 1)) {
    if (snapshot.clusters.has(`outbound|${port}||*${hostname.slice(dot)}`)) return true;
  }
  return false;
}
