import { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { PathBinding, type RouterTraits } from '@ripstop/core';
import { routerTraits } from '@ripstop/node';
import fastify, { type FastifyServerOptions } from 'fastify';

const load = createRequire(import.meta.url);

/** The routes of every app here; `:id` is a parameter. */
export const ROUTES: readonly string[] = [
  '/admin',
  '/public',
  '/',
  '/users/:id',
  '/api/v1/items',
  '/Reports/Q1',
  '/mount/secret',
  '/a/b/c',
];

/** A router of an app: which route serves a path, with its parameters in place; undefined = none does. */
export interface AppRouter {
  readonly name: string;
  readonly binding: PathBinding | undefined;
  /** What the documentation of the router says of spellings; not what Ripstop thinks of them. */
  readonly reads: (path: string) => string;
  served(path: string): Promise<string | undefined>;
}

type Next = () => void;
type Request = { readonly params?: Readonly<Record<string, string>> };
interface ExpressRouter {
  get(path: string, run: (request: Request, response: object, next: Next) => void): void;
  use(path: string, router: ExpressRouter): void;
}
type ExpressApp = ExpressRouter & { handle(request: object, response: object, done: Next): void };
type Express = (() => ExpressApp) & { Router(): ExpressRouter };

export function expressRouter(name: 'express' | 'express4'): AppRouter {
  const express = load(name) as Express;
  const app = express();
  let found: string | undefined;
  const note =
    (route: string) =>
    ({ params }: Request): void => {
      found = withParams(route, params);
    };
  for (const route of ROUTES) {
    if (!route.startsWith('/mount/')) app.get(route, note(route));
  }
  const mounted = express.Router();
  mounted.get('/secret', note('/mount/secret'));
  app.use('/mount', mounted);
  return {
    name,
    binding: bindingOf(app),
    // `case sensitive routing` and `strict routing` are off.
    reads: (path) =>
      decoded(path)
        .toLowerCase()
        .replace(/(?!^)\/$/, ''),
    served: async (path) => {
      found = undefined;
      app.handle({ method: 'GET', url: path, headers: {} }, { setHeader() {}, getHeader() {} }, () => {});
      return found;
    },
  };
}

/** Fastify's types leave one of its router's options out. */
type RouterOptions = NonNullable<FastifyServerOptions['routerOptions']> & { readonly useSemicolonDelimiter?: boolean };

export async function fastifyRouter(name: string, routerOptions: RouterOptions): Promise<AppRouter> {
  const app = fastify({ routerOptions });
  let found: string | undefined;
  app.addHook('onRequest', async (request, reply) => {
    const { url } = request.routeOptions;
    if (url !== undefined) found = withParams(url, request.params as Record<string, string>);
    reply.hijack();
  });
  for (const route of ROUTES) app.get(route, async () => route);
  await app.ready();
  const { caseSensitive, ignoreTrailingSlash, ignoreDuplicateSlashes, useSemicolonDelimiter } = routerOptions;
  return {
    name,
    binding: bindingOf(app),
    reads: (path) => {
      let read = decoded(path);
      if (caseSensitive === false) read = read.toLowerCase();
      if (useSemicolonDelimiter) read = read.replace(/;.*/, '');
      if (ignoreDuplicateSlashes) read = read.replace(/\/+/g, '/');
      return ignoreTrailingSlash ? read.replace(/(?!^)\/$/, '') : read;
    },
    served: async (path) => {
      found = undefined;
      const request = Object.assign(new IncomingMessage(null as never), { method: 'GET', url: path });
      app.routing(request, new ServerResponse(request));
      await undefined; // Hooks run behind a promise.
      return found;
    },
  };
}

function decoded(path: string): string {
  return path.replace(/%[0-7][0-9a-f]/gi, (triplet) => decodeURI(triplet));
}

function bindingOf(app: unknown): PathBinding | undefined {
  const traits: RouterTraits | undefined = routerTraits(app);
  return traits === undefined ? undefined : new PathBinding(traits);
}

function withParams(route: string, params: Readonly<Record<string, string>> = {}): string {
  // As an author of policies writes it: reserved characters that mean nothing in a segment stand for themselves.
  return route.replace(/:(\w+)/g, (_whole, name: string) =>
    encodeURIComponent(params[name] ?? '').replace(/%(?:40|3A|2C|3B|3D|26|2B|24)/g, decodeURIComponent),
  );
}
