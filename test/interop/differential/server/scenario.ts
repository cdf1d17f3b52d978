import type { HttpConnectionManager, RouteConfiguration } from '@ripstop/xds-api';
import type { Answer } from '../../../simulation/row.ts';
import type { FilterName } from './filters.ts';

/** What the server of the app speaks. */
export type AppKind = 'http1' | 'http2';

/** One drawn configuration of the way into an app. */
export interface ServerScenario {
  readonly app: AppKind;
  /** Which connections are let in, as a PeerAuthentication says. */
  readonly mode: 'DISABLE' | 'PERMISSIVE' | 'STRICT';
  readonly manager: Partial<HttpConnectionManager>;
  /** In the order of the chain, each with its message. */
  readonly filters: readonly { readonly name: FilterName; readonly message: object }[];
  readonly routes: RouteConfiguration;
}

/** One request as bytes of HTTP/1.1 or as a stream of HTTP/2. */
export interface ServerCall {
  readonly protocol: AppKind;
  /** Whose certificate the caller shows; absent: plaintext. */
  readonly as?: string | undefined;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  /** In order. */
  readonly headers: readonly (readonly [string, string])[];
  /** In pieces; HTTP/1.1: chunks, when `chunked`. */
  readonly body: readonly string[];
  readonly chunked: boolean;
}

export interface ServerProbe {
  readonly call: ServerCall;
  readonly answer: Answer;
}

/** A configuration and the requests that are made to it. */
export interface ServerTrial {
  readonly scenario: ServerScenario;
  readonly probes: readonly ServerProbe[];
}
