import type { Dispatcher } from 'undici';
import type { MeshDispatcher } from './mesh-dispatcher.ts';

/** The mesh for apps that compose dispatchers: `agent.compose(createMeshInterceptor(dispatcher))`. `https:` stays with the agent. */
export function createMeshInterceptor(dispatcher: MeshDispatcher): Dispatcher.DispatcherComposeInterceptor {
  return (next) => (options, handler) => dispatcher.dispatchVia(next, options, handler);
}
