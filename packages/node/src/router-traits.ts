import type { RouterTraits } from '@ripstop/core';

/**
 * Express and the routers mounted in it ignore case and trailing slash unless told otherwise, each router by itself; behind a mount
 * point `//secret` is `/secret`.
 */
const EXPRESS: RouterTraits = { ignoreCase: true, ignoreTrailingSlash: true, mergeSlashes: true };

interface ExpressLike {
  readonly handle: unknown;
  readonly set: unknown;
  readonly enabled: unknown;
}

/** As Fastify 5 says them; Fastify 6 keeps them under `routerOptions`. */
interface FastifyRouting {
  readonly caseSensitive?: boolean;
  readonly ignoreTrailingSlash?: boolean;
  readonly ignoreDuplicateSlashes?: boolean;
  readonly useSemicolonDelimiter?: boolean;
}

/** How the router of an app reads paths; undefined for one that is not known, whose policies read paths as Istio does. */
export function routerTraits(app: unknown): RouterTraits | undefined {
  if (isExpress(app)) return EXPRESS;
  const routing = fastifyRouting(app);
  if (routing !== undefined) {
    return {
      ignoreCase: routing.caseSensitive === false,
      ignoreTrailingSlash: routing.ignoreTrailingSlash === true,
      mergeSlashes: routing.ignoreDuplicateSlashes === true,
      semicolons: routing.useSemicolonDelimiter === true,
    };
  }
  // http.createServer(app): the app is its listener.
  const listeners = (app as { listeners?: (event: string) => unknown[] } | undefined)?.listeners;
  if (typeof app !== 'object' || typeof listeners !== 'function') return undefined;
  return listeners.call(app, 'request').some(isExpress) ? EXPRESS : undefined;
}

function isExpress(app: unknown): boolean {
  const { handle, set, enabled } = (typeof app === 'function' ? app : {}) as Partial<ExpressLike>;
  return [handle, set, enabled].every((member) => typeof member === 'function');
}

function fastifyRouting(app: unknown): FastifyRouting | undefined {
  const config = (app as { initialConfig?: FastifyRouting & { routerOptions?: FastifyRouting } } | null)?.initialConfig;
  return typeof config === 'object' && config !== null ? { ...config, ...config.routerOptions } : undefined;
}
