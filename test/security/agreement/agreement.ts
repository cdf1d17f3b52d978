import { type RbacSettings, standardFilters } from '@ripstop/compile';
import { Exchange, type Filter, type HttpConnectionManager, NO_PEER, normalizePath, type RequestHead, type Snapshot } from '@ripstop/core';
import { HttpRbac, RBAC_Action } from '@ripstop/xds-api';
import { rbacPolicy } from '../../../packages/control-plane/src/translate/rbac/rule.ts';
import { type PathPolicy, permits, randomPolicy, randomTarget, ruleOf } from './pairs.ts';
import { type AppRouter, expressRouter, fastifyRouter } from './routers.ts';

type PathOptions = Pick<HttpConnectionManager, 'normalizePath' | 'mergeSlashes' | 'escapedSlashes'>;

const MODES: Readonly<Record<string, PathOptions>> = {
  NONE: { normalizePath: false, mergeSlashes: false, escapedSlashes: 'KEEP_UNCHANGED' },
  BASE: { normalizePath: true, mergeSlashes: false, escapedSlashes: 'KEEP_UNCHANGED' },
  MERGE_SLASHES: { normalizePath: true, mergeSlashes: true, escapedSlashes: 'KEEP_UNCHANGED' },
  DECODE_AND_MERGE_SLASHES: { normalizePath: true, mergeSlashes: true, escapedSlashes: 'UNESCAPE_AND_FORWARD' },
};

/** What was tried, and each pair where an app served what its policy forbids. */
export interface Agreement {
  readonly pairs: number;
  /** Pairs that the policy let pass and a route served: without them nothing was tried. */
  readonly served: number;
  readonly disagreements: readonly string[];
}

/** A router that takes the most for the same path. */
const LENIENT = { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true };

export async function createRouters(): Promise<readonly AppRouter[]> {
  return [
    expressRouter('express4'),
    expressRouter('express'),
    await fastifyRouter('fastify', {}),
    await fastifyRouter('lenient fastify', LENIENT),
  ];
}

export interface AgreementOptions {
  readonly settings?: RbacSettings;
  /** Policies name paths in other spellings than the routes', too. */
  readonly spelled?: boolean;
}

/** Whether an app ever serves what the policy forbids for the canonical form of what it serves. */
export async function tryAgreement(
  pairs: number,
  random: () => number,
  routers: readonly AppRouter[],
  { settings = {}, spelled = false }: AgreementOptions = {},
): Promise<Agreement> {
  const disagreements: string[] = [];
  let served = 0;
  const modes = Object.entries(MODES);
  for (let pair = 0; pair < pairs; ) {
    const policy = randomPolicy(random, spelled);
    const filter = compilePolicy(policy, settings);
    for (let target = 0; target < 20 && pair < pairs; target++, pair++) {
      const raw = randomTarget(random, policy);
      const [mode, options] = modes[pair % modes.length]!;
      const router = routers[Math.floor(random() * routers.length)]!;
      const path = settle(raw, options);
      if (path === undefined || !passes(filter, path, options, router)) continue;
      const route = await router.served(path);
      if (route === undefined) continue;
      served++;
      const canonical = settle(route, MODES.BASE!) ?? route;
      if (!permits(policy, canonical, spelled ? router.reads : undefined))
        disagreements.push(`${router.name}, ${mode}: ${JSON.stringify(policy)} let ${raw} through as ${path}, which is served as ${route}`);
    }
  }
  return { pairs, served, disagreements };
}

/** As the server does it: absolute form, fragment, normalisation. */
function settle(raw: string, options: PathOptions): string | undefined {
  const absolute = /^http:\/\/[^/?#]*(\/.*)$/.exec(raw);
  const target = absolute === null ? raw : absolute[1]!;
  if (!target.startsWith('/') || target.includes(' ')) return undefined; // Refused before any policy.
  const normal = normalizePath(target, options);
  return normal.kind === 'path' ? normal.path : undefined;
}

function compilePolicy(policy: PathPolicy, settings: RbacSettings): Filter {
  const rule = rbacPolicy(ruleOf(policy), {
    namespace: 'default',
    trustDomains: ['cluster.local'],
    tcp: false,
    allow: policy.action === 'ALLOW',
  })!;
  const rules = { action: RBAC_Action[policy.action], policies: { p: rule } };
  const typeUrl = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC';
  const factory = standardFilters(settings).find((one) => one.typeUrl === typeUrl)!;
  const bytes = HttpRbac.encode(HttpRbac.fromPartial({ rules } as never)).finish();
  return factory.create(factory.decode(bytes), undefined, {
    clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
    random: () => 0,
    direction: 'inbound',
    state: (_key: string, create: () => unknown) => create(),
  } as never)!;
}

function passes(filter: Filter, path: string, options: PathOptions, { binding }: AppRouter): boolean {
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request: { scheme: 'http', authority: 'a', method: 'GET', path } as RequestHead,
    snapshot: {} as Snapshot,
    manager: options as HttpConnectionManager,
    peer: NO_PEER,
    port: 80,
    startedAt: 0,
    binding,
  });
  const question = path.indexOf('?');
  x.matchPath = question === -1 ? path : path.slice(0, question);
  return filter.onRequest!(x) === undefined;
}
