import type { Exchange, ResponseHead } from '../exchange.ts';
import type { Filter } from '../filter.ts';
import { localReply } from '../local-reply.ts';
import type { StringTest } from '../route/string-test.ts';

/** A route's CORS policy, decoded. */
export interface CorsConfig {
  readonly allowOrigin: readonly StringTest[];
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  readonly allowCredentials: boolean;
  readonly forwardNotMatchingPreflights: boolean;
  /** Access from public sites to private networks is allowed when a preflight asks for it. */
  readonly allowPrivateNetwork?: boolean | undefined;
}

/** Envoy's CORS filter: answers preflights, decorates responses of allowed origins, leaves the rest alone. */
export function createCors(config: CorsConfig): Filter | undefined {
  if (config.allowOrigin.length === 0) return undefined;
  // A matcher that takes "*" takes every origin.
  const anyOrigin = config.allowOrigin.some((test) => test('*'));
  const allowed = (origin: string | undefined): origin is string =>
    origin !== undefined && origin !== '' && (anyOrigin || config.allowOrigin.some((test) => test(origin)));
  return {
    name: 'envoy.filters.http.cors',
    onRequest: (x: Exchange) => {
      const { request } = x;
      const origin = request.header('origin');
      // Redirects and direct responses are left alone.
      if (x.route?.action.kind === 'reply') return undefined;
      if (allowed(origin)) x.corsOrigin = origin;
      if (request.method !== 'OPTIONS' || !origin || !request.header('access-control-request-method')) return undefined;
      if (!allowed(origin) && config.forwardNotMatchingPreflights) return undefined;
      const headers: [string, string][] = [];
      const put = (name: string, value: string): void => {
        if (value !== '') headers.push([name, value]);
      };
      if (allowed(origin)) put('access-control-allow-origin', origin);
      put('access-control-allow-credentials', config.allowCredentials ? 'true' : '');
      put('access-control-allow-methods', config.allowMethods);
      put('access-control-allow-headers', config.allowHeaders);
      put('access-control-max-age', config.maxAge);
      put('access-control-expose-headers', config.exposeHeaders);
      if (config.allowPrivateNetwork && request.header('access-control-request-private-network') === 'true')
        put('access-control-allow-private-network', 'true');
      return localReply({ status: 200, details: 'cors_response', headers });
    },
    onResponse: (x: Exchange, head: ResponseHead) => {
      const { corsOrigin: origin } = x;
      if (origin === undefined) return;
      head.setHeader('access-control-allow-origin', origin);
      if (config.allowCredentials) head.setHeader('access-control-allow-credentials', 'true');
      if (config.exposeHeaders !== '') head.setHeader('access-control-expose-headers', config.exposeHeaders);
    },
  };
}
