import { type RedirectAction, Route, type RouteAction, RouteConfiguration, VirtualHost } from '@ripstop/xds-api';
import { CLUSTERS, SHADOW } from './clusters.ts';
import type { Draw } from './draw.ts';
import { drawFault, drawFilterConfig } from './draw-filters.ts';
import { drawMatch } from './draw-match.ts';
import type { ManagerOptions, Scenario } from './scenario.ts';
import { DOMAINS, FORMATS, HEADER_NAMES, PATHS } from './words.ts';

type Input<T extends { fromPartial(input: never): unknown }> = Parameters<T['fromPartial']>[0];

/** A configuration as a seed has it. */
export function drawScenario(draw: Draw): Scenario {
  const domains = draw
    .some(DOMAINS, 6)
    .filter((domain, at, all) => all.findIndex((other) => other.toLowerCase() === domain.toLowerCase()) === at);
  const hosts = Math.min(domains.length, 1 + draw.below(3));
  const routes = RouteConfiguration.fromPartial({
    name: 'drawn',
    validateClusters: false,
    ignorePortInHostMatching: draw.chance(0.2),
    mostSpecificHeaderMutationsWins: draw.chance(0.2),
    ...(draw.chance(0.2) ? drawOperations(draw) : {}),
    virtualHosts: Array.from({ length: hosts }, (_, at) =>
      VirtualHost.fromPartial({
        name: `host-${at}`,
        domains: domains.filter((_domain, index) => index % hosts === at),
        routes: Array.from({ length: 1 + draw.below(4) }, (_each, index) => drawRoute(draw, `route-${at}-${index}`)),
        includeRequestAttemptCount: draw.chance(0.3),
        includeAttemptCountInResponse: draw.chance(0.2),
        requireTls: draw.chance(0.03) ? 2 : 0,
        ...(draw.chance(0.2) ? drawOperations(draw) : {}),
        ...(draw.chance(0.1) ? { retryPolicy: drawRetry(draw) } : {}),
        typedPerFilterConfig: draw.chance(0.1) ? drawFault(draw) : {},
      }),
    ),
  });
  return { manager: drawManager(draw), routes };
}

function drawManager(draw: Draw): ManagerOptions {
  return {
    normalizePath: draw.chance(0.5),
    mergeSlashes: draw.chance(0.2),
    pathWithEscapedSlashesAction: draw.chance(0.15) ? draw.one([2, 3, 4]) : 0,
    stripTrailingHostDot: draw.chance(0.15),
  };
}

function drawRoute(draw: Draw, name: string): Route {
  return Route.fromPartial({
    name: draw.chance(0.9) ? name : '',
    match: drawMatch(draw),
    action: drawAction(draw),
    ...(draw.chance(0.35) ? drawOperations(draw) : {}),
    typedPerFilterConfig: draw.chance(0.15) ? drawFilterConfig(draw) : {},
  } as Input<typeof Route>);
}

function drawAction(draw: Draw): Input<typeof Route>['action'] {
  if (draw.chance(0.12)) return { $case: 'redirect', value: drawRedirect(draw) };
  if (draw.chance(0.1)) {
    const body = draw.maybe(0.6, () => ({ specifier: { $case: 'inlineString' as const, value: draw.one(['text', '{}', '']) } }));
    return { $case: 'directResponse', value: { status: draw.one([200, 201, 204, 301, 403, 404, 418, 503]), body } };
  }
  return { $case: 'route', value: drawForward(draw) as never };
}

function drawForward(draw: Draw): object {
  const rewrite = draw.below(10);
  const host = draw.below(12);
  return {
    clusterSpecifier: drawCluster(draw),
    clusterNotFoundResponseCode: draw.one([0, 0, 1, 2]),
    prefixRewrite: rewrite < 2 ? draw.one(['/', '/new', '/new/']) : '',
    regexRewrite: rewrite === 2 ? drawSubstitution(draw) : undefined,
    hostRewriteSpecifier: hostRewrite(draw, host),
    appendXForwardedHost: draw.chance(0.15),
    requestMirrorPolicies: draw.chance(0.1) ? draw.list(2, () => drawMirror(draw)) : [],
    timeout: draw.maybe(0.3, () => ({ seconds: draw.one([0, 7, 30]), nanos: 0 })),
    retryPolicy: draw.maybe(0.3, () => drawRetry(draw)),
    // The last one always has a value: without a hash chance would choose.
    hashPolicy: [...(draw.chance(0.3) ? draw.list(2, () => drawHash(draw)) : []), ALWAYS_HASHED],
  };
}

function drawMirror(draw: Draw): object {
  return {
    cluster: draw.chance(0.9) ? SHADOW : 'missing',
    runtimeFraction: draw.maybe(0.3, () => ({ defaultValue: { numerator: draw.one([0, 100]), denominator: 0 } })),
    disableShadowHostSuffixAppend: draw.chance(0.3),
  };
}

function hostRewrite(draw: Draw, which: number): RouteAction['hostRewriteSpecifier'] {
  if (which === 0) return { $case: 'hostRewriteLiteral', value: draw.one(['new.test', 'new.test:81']) };
  if (which === 1) return { $case: 'hostRewriteHeader', value: draw.one(['x-a', 'x-none']) };
  if (which === 2) return { $case: 'autoHostRewrite', value: true };
  if (which === 3) return { $case: 'hostRewritePathRegex', value: drawSubstitution(draw) };
  return undefined;
}

function drawSubstitution(draw: Draw): NonNullable<RouteAction['regexRewrite']> {
  return {
    pattern: { engineType: undefined, regex: draw.one(['a', '/(a)(/?)', 'b+', '^/a', '[a-z]', '$', '(/[^/]*)']) },
    substitution: draw.one(['x', '', '/\\1', '\\0\\0', '-']),
  };
}

function drawCluster(draw: Draw): object {
  const names = Object.keys(CLUSTERS);
  const name = (): string => (draw.chance(0.05) ? 'missing' : draw.one(names));
  switch (draw.below(12)) {
    case 0:
      return { $case: 'clusterHeader', value: draw.one(['x-cluster', 'x-a']) };
    case 1: {
      const [one, other] = draw.some(['one', 'two', 'missing'], 2).concat('two') as [string, string];
      const operations = (): object => (draw.chance(0.5) ? drawOperations(draw) : {});
      const clusters = [
        { name: one, weight: 100, ...operations() },
        { name: other, weight: 0, ...operations() },
      ];
      return { $case: 'weightedClusters', value: { clusters } };
    }
    case 2: {
      const clusters = [
        { name: 'one', weight: 3 },
        { name: 'two', weight: 7 },
      ];
      return { $case: 'weightedClusters', value: { clusters, randomValueSpecifier: { $case: 'headerName', value: 'x-draw' } } };
    }
    default:
      return { $case: 'cluster', value: name() };
  }
}

function drawRetry(draw: Draw): object {
  return {
    retryOn: draw.one([
      '5xx',
      'gateway-error',
      'retriable-4xx',
      'reset',
      'connect-failure',
      'retriable-status-codes',
      '5xx,retriable-headers',
      '',
    ]),
    numRetries: draw.maybe(0.7, () => draw.below(3)),
    retriableStatusCodes: draw.chance(0.3) ? [404, 429] : [],
    retriableHeaders: draw.chance(0.2) ? [{ name: 'x-again' }] : [],
    retriableRequestHeaders: draw.chance(0.1) ? [{ name: 'x-a' }] : [],
    retryBackOff: { baseInterval: { seconds: 0, nanos: 1_000_000 }, maxInterval: { seconds: 0, nanos: 1_000_000 } },
  };
}

const ALWAYS_HASHED = { policySpecifier: { $case: 'header', value: { headerName: ':path' } } };

function drawHash(draw: Draw): object {
  const terminal = draw.chance(0.3);
  switch (draw.below(3)) {
    case 0:
      return {
        terminal,
        policySpecifier: {
          $case: 'header',
          value: {
            headerName: draw.one(['x-a', 'x-b', 'user-agent', ':path']),
            regexRewrite: draw.maybe(0.2, () => drawSubstitution(draw)),
          },
        },
      };
    case 1:
      return { terminal, policySpecifier: { $case: 'cookie', value: { name: draw.one(['k', 'l', 'none']) } } };
    default:
      return { terminal, policySpecifier: { $case: 'queryParameter', value: { name: draw.one(['q', 'r']) } } };
  }
}

export function drawRedirect(draw: Draw): Partial<RedirectAction> {
  return {
    schemeRewriteSpecifier: draw.maybe(0.3, () =>
      draw.chance(0.5)
        ? { $case: 'httpsRedirect' as const, value: true }
        : { $case: 'schemeRedirect' as const, value: draw.one(['https', 'http', 'ftp']) },
    ),
    hostRedirect: draw.chance(0.4) ? draw.one(['new.test', 'new.test:81']) : '',
    portRedirect: draw.chance(0.3) ? draw.one([80, 443, 8443]) : 0,
    pathRewriteSpecifier: draw.maybe(0.6, () => {
      const kind = draw.below(3);
      if (kind === 0) return { $case: 'pathRedirect' as const, value: draw.one(['/there', '/there?r=1']) };
      if (kind === 1) return { $case: 'prefixRewrite' as const, value: draw.one(['/new', '/']) };
      return { $case: 'regexRewrite' as const, value: drawSubstitution(draw) };
    }),
    responseCode: draw.below(5) as RedirectAction['responseCode'],
    stripQuery: draw.chance(0.3),
  };
}

export function drawOperations(draw: Draw): object {
  const addition = (): object => ({
    header: { key: draw.one([...HEADER_NAMES, 'x-new']), value: draw.one(FORMATS) },
    appendAction: draw.below(4),
    keepEmptyValue: draw.chance(0.2),
  });
  const removal = (): string => draw.one([...HEADER_NAMES, 'x-new']);
  return {
    requestHeadersToAdd: draw.list(2, addition),
    requestHeadersToRemove: draw.chance(0.4) ? [removal()] : [],
    responseHeadersToAdd: draw.list(2, addition),
    responseHeadersToRemove: draw.chance(0.4) ? [removal()] : [],
  };
}

/** A path that a route of the scenario may take. */
export function pathOf(draw: Draw, { routes }: Pick<Scenario, 'routes'>): string {
  const specifier = draw.one(draw.one(routes.virtualHosts).routes).match?.pathSpecifier;
  const near = specifier?.$case === 'prefix' || specifier?.$case === 'path' || specifier?.$case === 'pathSeparatedPrefix';
  if (!near || draw.chance(0.3)) return draw.one(PATHS);
  return draw.chance(0.6) ? specifier.value : `${specifier.value}${draw.one(['b', '/b', '/', '?q=1'])}`;
}
