import type { Cluster, HttpConnectionManager, RouteConfiguration } from '@ripstop/xds-api';
import type { Answer, Call } from '../../simulation/row.ts';

/** The parts of a connection manager that are drawn. */
export type ManagerOptions = Partial<
  Pick<HttpConnectionManager, 'mergeSlashes' | 'stripTrailingHostDot' | 'stripMatchingHostPort' | 'pathWithEscapedSlashesAction'>
> & { readonly normalizePath?: boolean };

/** One drawn configuration: a listener with its routes. */
export interface Scenario {
  readonly manager: ManagerOptions;
  readonly routes: RouteConfiguration;
}

/** One request and what the upstreams answer to it. */
export interface Probe {
  readonly call: Omit<Call, 'url'> & { readonly authority: string; readonly path: string };
  readonly answers: readonly Answer[];
}

/** What a proxy says of one request in its access log. */
export interface Account {
  readonly route: string;
  readonly cluster: string;
  readonly flags: string;
  readonly details: string;
}

/** What both sides are given besides the scenarios. */
export interface Surroundings {
  readonly clusters: readonly Cluster[];
}
