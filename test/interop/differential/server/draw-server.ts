import { Route, RouteConfiguration, VirtualHost } from '@ripstop/xds-api';
import type { Draw } from '../draw.ts';
import { drawFilterConfig } from '../draw-filters.ts';
import { drawMatch } from '../draw-match.ts';
import { drawOperations, drawRedirect } from '../draw-route.ts';
import { clusterName } from './clusters.ts';
import { DRAWS, drawOverride } from './draw-server-filters.ts';
import { FILTER_NAMES, type FilterName } from './filters.ts';
import type { AppKind, ServerScenario } from './scenario.ts';

type Input<T extends { fromPartial(input: never): unknown }> = Parameters<T['fromPartial']>[0];

/** A configuration of the way into an app, as a seed has it. */
export function drawServer(draw: Draw): ServerScenario {
  const app = draw.chance(0.7) ? 'http1' : 'http2';
  const filters = FILTER_NAMES.flatMap((name) => {
    const message = DRAWS[name](draw);
    return message === undefined ? [] : [{ name, message }];
  });
  const names = filters.map(({ name }) => name);
  return {
    app,
    mode: draw.one(['DISABLE', 'PERMISSIVE', 'PERMISSIVE', 'STRICT']),
    manager: drawManager(draw),
    filters,
    routes: RouteConfiguration.fromPartial({
      name: clusterName(app),
      validateClusters: false,
      mostSpecificHeaderMutationsWins: draw.chance(0.1),
      virtualHosts: [
        VirtualHost.fromPartial({
          name: 'inbound|http|8080',
          domains: ['*'],
          routes: [...draw.list(2, () => drawRoute(draw, app, names, drawMatch(draw))), drawRoute(draw, app, names, ANY_PATH)],
          includeRequestAttemptCount: draw.chance(0.2),
          ...(draw.chance(0.2) ? drawOperations(draw) : {}),
          typedPerFilterConfig: draw.chance(0.15) ? drawConfig(draw, names) : {},
        }),
      ],
    }),
  };
}

/** The event loop that serves both sides may be late. */
const TIMEOUT_NANOS = 400_000_000;
const ANY_PATH = { pathSpecifier: { $case: 'prefix', value: '/' } };

function drawManager(draw: Draw): ServerScenario['manager'] {
  const forward = draw.below(5);
  return {
    normalizePath: draw.chance(0.7),
    mergeSlashes: draw.chance(0.3),
    pathWithEscapedSlashesAction: draw.chance(0.25) ? draw.one([2, 3, 4]) : 0,
    stripTrailingHostDot: draw.chance(0.15),
    ...draw.one([{}, {}, {}, {}, { stripMatchingHostPort: true }, { stripPortMode: { $case: 'stripAnyHostPort' as const, value: true } }]),
    useRemoteAddress: draw.chance(0.3),
    xffNumTrustedHops: draw.chance(0.2) ? draw.one([1, 2]) : 0,
    forwardClientCertDetails: forward,
    setCurrentClientCertDetails: draw.maybe(0.8, () => ({
      subject: draw.chance(0.7),
      cert: draw.chance(0.15),
      chain: draw.chance(0.1),
      dns: draw.chance(0.7),
      uri: draw.chance(0.7),
    })),
    commonHttpProtocolOptions: draw.maybe(0.1, () => ({ headersWithUnderscoresAction: draw.one([0, 1, 2]) })),
    serverName: draw.one(['', 'istio-envoy']),
    serverHeaderTransformation: draw.one([0, 2, 2]),
    generateRequestId: draw.maybe(0.3, () => draw.chance(0.5)),
    upgradeConfigs: draw.chance(0.5) ? [{ upgradeType: 'websocket', filters: [], enabled: undefined }] : [],
  } as ServerScenario['manager'];
}

function drawRoute(draw: Draw, app: AppKind, filters: readonly FilterName[], match: object): Route {
  return Route.fromPartial({
    name: draw.chance(0.8) ? 'default' : '',
    match,
    action: drawAction(draw, app),
    decorator: { operation: 'served.default.svc.cluster.local:8080/*' },
    ...(draw.chance(0.3) ? drawOperations(draw) : {}),
    typedPerFilterConfig: draw.chance(0.3) ? drawConfig(draw, filters) : {},
  } as Input<typeof Route>);
}

/** Configuration for a filter that the listener does not have makes Envoy refuse the routes of some. */
function drawConfig(draw: Draw, filters: readonly FilterName[]): VirtualHost['typedPerFilterConfig'] {
  if (draw.chance(0.4)) return drawOverride(draw, filters);
  const drawn = drawFilterConfig(draw);
  const present: readonly string[] = filters.map((name) => CONFIGURED[name] ?? '');
  return Object.fromEntries(Object.entries(drawn).filter(([name]) => present.includes(name)));
}

const CONFIGURED: Partial<Record<FilterName, string>> = {
  rbac: 'envoy.filters.http.rbac',
  mutation: 'envoy.filters.http.header_mutation',
  fault: 'envoy.filters.http.fault',
  cors: 'envoy.filters.http.cors',
  rateLimit: 'envoy.filters.http.local_ratelimit',
};

function drawAction(draw: Draw, app: AppKind): Input<typeof Route>['action'] {
  if (draw.chance(0.05)) return { $case: 'redirect', value: drawRedirect(draw) };
  if (draw.chance(0.06))
    return {
      $case: 'directResponse',
      value: { status: draw.one([200, 204, 403, 503]), body: { specifier: { $case: 'inlineString', value: draw.one(['text', '']) } } },
    };
  return {
    $case: 'route',
    value: {
      clusterSpecifier: { $case: 'cluster', value: clusterName(app) },
      timeout: { seconds: 0, nanos: draw.chance(0.1) ? TIMEOUT_NANOS : 0 },
      maxStreamDuration: draw.maybe(0.15, () => ({
        maxStreamDuration: draw.maybe(0.5, () => ({ seconds: 0, nanos: draw.one([0, TIMEOUT_NANOS]) })),
        grpcTimeoutHeaderMax: draw.maybe(0.5, () => ({ seconds: 0, nanos: 0 })),
      })),
    },
  };
}
