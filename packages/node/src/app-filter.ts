import type { AppFilter, Direction, Exchange, FilterFactory, LocalReply, Outcome, ResponseHead } from '@ripstop/core';

/** What `createMesh({ filters })` takes: filters of the app, and factories for filter types of the configuration. */
export type MeshFilter = AppFilter | FilterFactory<unknown>;

/** What an app's filter does, and where it stands. */
export interface AppFilterOptions {
  /** For logs and the decision record. */
  readonly name: string;
  /** Default: requests that are served and requests that are made. */
  readonly directions?: readonly Direction[];
  /** Envoy's name of the filter to stand in front of, or behind. Default: last, so that it sees only what policies let pass. */
  readonly before?: string;
  readonly after?: string;
  /** Answers undefined to go on, or the reply that ends the request (`localReply`); a promise is waited for. */
  readonly onRequest?: (x: Exchange) => LocalReply | undefined | Promise<LocalReply | undefined>;
  readonly onResponse?: (x: Exchange, head: ResponseHead) => void;
  /** Once, at the end of the stream. */
  readonly onEnd?: (x: Exchange, outcome: Outcome) => void;
}

/** A filter as a plain function of the app: it stands in the same walk as Envoy's own. Throws when both `before` and `after` are given. */
export function appFilter(options: AppFilterOptions): AppFilter {
  if (options.before !== undefined && options.after !== undefined)
    throw new TypeError(`filter ${options.name}: give before or after, not both`);
  return options;
}

/** Tells what the configuration can name from what stands there by itself. */
export function isFactory(filter: MeshFilter): filter is FilterFactory<unknown> {
  return 'typeUrl' in filter;
}
