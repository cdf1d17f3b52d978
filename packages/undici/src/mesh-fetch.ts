import type { Dispatcher } from 'undici';

/**
 * `fetch` through the mesh. It is the runtime's own fetch, so that responses are the global `Response`; the mesh is its
 * dispatcher. The runtime's fetch is taken once, so that a later patch of it doesn't loop back.
 */
export function createMeshFetch(dispatcher: Dispatcher, runtimeFetch: typeof fetch = globalThis.fetch): typeof fetch {
  return (input, init) => runtimeFetch(input, { ...init, dispatcher } as RequestInit);
}
