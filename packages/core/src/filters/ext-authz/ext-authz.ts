import type { Exchange, ResponseHead } from '../../exchange.ts';
import type { Filter, FilterEnv } from '../../filter.ts';
import type { FilterCounter } from '../../filter-counters.ts';
import { type LocalReply, localReply } from '../../local-reply.ts';
import { ResponseFlag } from '../../response-flags.ts';
import { isSentToHttps } from '../../route/sent-to-https.ts';
import { changeQuery } from '../query-string.ts';
import { applyWrites, removeHeaders } from './header-writes.ts';
import { type Authorizer, type AuthzQuestion, type AuthzVerdict, type HeaderWrite, shownBody } from './verdict.ts';

export interface ExtAuthzConfig {
  readonly authorizer: Authorizer;
  readonly failureModeAllow: boolean;
  readonly failureModeAllowHeader: boolean;
  /** When nobody could be asked. */
  readonly statusOnError: number;
  /** Undefined = every request. */
  readonly enabledWhen: ((x: Exchange) => boolean) | undefined;
  readonly enabledShare: { readonly numerator: number; readonly denominator: number } | undefined;
  /** What is not enabled is denied. */
  readonly denyAtDisable: boolean;
  readonly body: { readonly maxBytes: number; readonly allowPartial: boolean } | undefined;
  /** The route is chosen again when the authorizer changed the request. */
  readonly clearRouteCache: boolean;
}

/** What a route says otherwise. */
export interface ExtAuthzOverride {
  readonly disabled: boolean;
  readonly contextExtensions: Readonly<Record<string, string>>;
  /** `none` = the body is not shown here. */
  readonly body: ExtAuthzConfig['body'] | 'none';
  readonly authorizer: Authorizer | undefined;
}

const HELP = 'Requests seen by external authorization';

export const EXT_AUTHZ = 'envoy.filters.http.ext_authz';

/**
 * Envoy's external authorization: a request waits until the authorizer has spoken. Its verdict may change the request and, later, the
 * response; a denial carries the authorizer's own status, headers and body.
 */
export function createExtAuthz(config: ExtAuthzConfig, override: ExtAuthzOverride | undefined, env: FilterEnv): Filter | undefined {
  if (override?.disabled === true) return undefined;
  const body = override?.body === 'none' ? undefined : (override?.body ?? config.body);
  const authorizer = override?.authorizer ?? config.authorizer;
  const contextExtensions = override?.contextExtensions ?? {};
  const failed = errorReply(config.statusOnError);
  const pending = new WeakMap<Exchange, readonly HeaderWrite[]>();
  const count = (name: string): FilterCounter =>
    env.counters?.counter(`envoy_http_ext_authz_${name}`, HELP, { envoy_http_conn_manager_prefix: env.statPrefix ?? '' }) ?? { value: 0 };
  const counters = { ok: count('ok'), denied: count('denied'), error: count('error') };
  const [allowedAnyway, disabled] = [count('failure_mode_allowed'), count('disabled')];

  const ask = async (x: Exchange): Promise<LocalReply | undefined> => {
    const shown = body === undefined || x.body === undefined ? undefined : await readBody(x, body);
    if (shown !== undefined && 'details' in shown) return shown;
    const verdict = await authorizer.ask(x, { body: shown, contextExtensions });
    x.decision?.add('filter', `external authorization: ${verdict.kind}`);
    counters[verdict.kind].value++;
    if (verdict.kind === 'ok') {
      applyOk(x, verdict, config.clearRouteCache);
      if (verdict.response.length > 0) pending.set(x, verdict.response);
      return undefined;
    }
    if (verdict.kind === 'denied') return denied(x, verdict);
    x.decision?.add('filter', verdict.reason);
    if (!config.failureModeAllow) return failed;
    allowedAnyway.value++;
    if (config.failureModeAllowHeader) x.request.setHeader('x-envoy-auth-failure-mode-allowed', 'true');
    return undefined;
  };

  const { enabledShare: share } = config;
  const enabled = (x: Exchange): boolean =>
    (share === undefined || env.random() * share.denominator < share.numerator) && (config.enabledWhen?.(x) ?? true);
  return {
    name: EXT_AUTHZ,
    onRequest: (x) => {
      if (!isRouted(x)) return undefined;
      if (enabled(x)) return ask(x);
      disabled.value++;
      return config.denyAtDisable ? failed : undefined;
    },
    explain: (x) => {
      if (!isRouted(x)) return undefined;
      if (config.enabledWhen?.(x) === false) return config.denyAtDisable ? failed : undefined;
      x.decision?.add('filter', 'an external authorizer would be asked');
      return undefined;
    },
    onResponse: (x: Exchange, head: ResponseHead) => {
      const writes = pending.get(x);
      if (writes !== undefined) applyWrites(head, writes);
    },
  };
}

/** Nobody is asked about what is answered 404; the redirect to https is a route, and its callers are asked about. */
function isRouted(x: Exchange): boolean {
  return x.route !== undefined || isSentToHttps(x);
}

async function readBody(
  x: Exchange,
  { maxBytes, allowPartial }: NonNullable<ExtAuthzConfig['body']>,
): Promise<AuthzQuestion['body'] | LocalReply> {
  const start = await x.body!.read(allowPartial ? maxBytes - 1 : maxBytes);
  if (start === undefined) return UNREADABLE;
  return shownBody(start, maxBytes, allowPartial) ?? TOO_LARGE;
}

function applyOk(x: Exchange, verdict: Extract<AuthzVerdict, { kind: 'ok' }>, clearRouteCache: boolean): void {
  const { request, removed, query, metadata } = verdict;
  if (metadata !== undefined) setMetadata(x, metadata);
  applyWrites(x.request, request);
  removeHeaders(x.request, removed);
  if (query !== undefined) x.request.path = changeQuery(x.request.path, query.set, query.removed);
  if (clearRouteCache && (request.length > 0 || removed.length > 0 || query !== undefined)) x.clearRoute = true;
}

function denied(x: Exchange, { status, headers, body, bytes, metadata }: Extract<AuthzVerdict, { kind: 'denied' }>): LocalReply {
  if (metadata !== undefined) setMetadata(x, metadata);
  const grpc = x.protocol === 'grpc';
  return localReply({
    status,
    flags: ResponseFlag.UnauthorizedExternalService,
    details: 'ext_authz_denied',
    headers: headers.filter(([name]) => !REPLACED.has(name) && !(grpc && name === 'content-type')),
    body,
    bytes,
  });
}

/** Written by who answers, whatever the authorizer says. */
const REPLACED: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'date', 'server']);

function setMetadata(x: Exchange, metadata: Readonly<Record<string, unknown>>): void {
  x.metadata ??= new Map();
  x.metadata.set(EXT_AUTHZ, { ...x.metadata.get(EXT_AUTHZ), ...metadata });
}

function errorReply(status: number): LocalReply {
  return localReply({ status, flags: ResponseFlag.UnauthorizedExternalService, details: 'ext_authz_error' });
}

const TOO_LARGE = localReply({
  status: 413,
  details: 'request_payload_too_large',
  body: 'Payload Too Large',
  headers: [['connection', 'close']],
});
const UNREADABLE = localReply({
  status: 403,
  flags: ResponseFlag.UnauthorizedExternalService,
  details: 'ripstop_body_unreadable{ext_authz}',
});
