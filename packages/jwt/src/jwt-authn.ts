import { type Exchange, type Filter, type FilterEnv, type LocalReply, localReply, type RequestHead } from '@ripstop/core';
import { acceptTokens, claimedHeaders, FILTER_NAME } from './accept-tokens.ts';
import { JWT_STATUS, type JwtStatus } from './jwt-status.ts';
import type { Provider } from './provider.ts';
import { Judgement, type Requirement, type Verdict } from './requirement.ts';
import { redactTokens } from './token-places.ts';
import { VerifiedTokensByKeys } from './verified-tokens.ts';

/** A rule of the filter: the first that matches the request holds. */
export interface Rule {
  matches(request: RequestHead, path: string): boolean;
  readonly requirement: Requirement;
}

export interface JwtAuthnConfig {
  readonly kind: 'filter';
  readonly providers: readonly Provider[];
  readonly rules: readonly Rule[];
  /** Requirements that a route may name. */
  readonly named: ReadonlyMap<string, Requirement>;
  /** Query parameters that hold tokens. */
  readonly params: ReadonlySet<string>;
  readonly bypassCorsPreflight: boolean;
  /** Refusals without body and www-authenticate. */
  readonly silent: boolean;
}

/** What a route says instead. */
export type JwtAuthnOverride = { readonly kind: 'disabled' } | { readonly kind: 'requirement'; readonly name: string };

/** Envoy shows that much of the path in www-authenticate. */
const MAX_REALM_PATH = 256;

/**
 * Envoy's jwt_authn: tokens are verified in front of the app, with keys that the control plane sent. Synchronous when the token was
 * verified before, or when there is none.
 */
export function createJwtAuthn(config: JwtAuthnConfig, override: JwtAuthnOverride | undefined, env: FilterEnv): Filter | undefined {
  if (override?.kind === 'disabled' || config.providers.length === 0) return undefined;
  const { clock } = env;
  const cache = env.state(FILTER_NAME, () => new VerifiedTokensByKeys());
  const reserved = claimedHeaders(config.providers);
  const requirementOf = chooser(config, override);
  return {
    name: FILTER_NAME,
    onRequest: (x: Exchange) => {
      const { request } = x;
      for (const name of reserved) if (request.header(name) !== undefined) request.removeHeader(name);
      if (config.bypassCorsPreflight && isPreflight(request)) return undefined;
      const requirement = requirementOf(x);
      if (requirement === undefined) return undefined;
      if (typeof requirement === 'string') return unknownRequirement(requirement, config);
      const judgement = new Judgement(x, cache, Math.floor(clock.wallTime() / 1000));
      const verdict = judgement.judge(requirement);
      return verdict === undefined ? finish(x, judgement, requirement, config) : conclude(x, verdict, config);
    },
  };
}

/** The requirement of a request; undefined = none, text = a route names one that does not exist. */
function chooser(config: JwtAuthnConfig, override: JwtAuthnOverride | undefined): (x: Exchange) => Requirement | string | undefined {
  if (override?.kind === 'requirement') {
    const requirement = config.named.get(override.name) ?? override.name;
    return () => requirement;
  }
  return (x) => config.rules.find((rule) => rule.matches(x.request, x.matchPath))?.requirement;
}

async function finish(
  x: Exchange,
  judgement: Judgement,
  requirement: Requirement,
  config: JwtAuthnConfig,
): Promise<LocalReply | undefined> {
  for (;;) {
    await judgement.verified();
    const verdict = judgement.judge(requirement);
    if (verdict !== undefined) return conclude(x, verdict, config);
  }
}

function conclude(x: Exchange, { status, accepted }: Verdict, config: JwtAuthnConfig): LocalReply | undefined {
  x.decision?.add('filter', `jwt ${status === 'ok' ? `${accepted.length} accepted` : JWT_STATUS[status]}`);
  if (status === 'ok') return acceptTokens(x, accepted);
  const reply = denial(x.request, status, config.silent);
  x.request.path = redactTokens(x.request.path, config.params);
  x.originalPath = redactTokens(x.originalPath, config.params);
  return reply;
}

function denial(request: RequestHead, status: Exclude<JwtStatus, 'ok'>, silent: boolean): LocalReply {
  const text = JWT_STATUS[status];
  const challenge = `Bearer realm="${originalUri(request)}"${status === 'missing' ? '' : ', error="invalid_token"'}`;
  return localReply({
    status: status === 'audienceNotAllowed' ? 403 : 401,
    details: detailsOf(text),
    ...(silent ? {} : { body: text, headers: [['www-authenticate', challenge]] }),
  });
}

/** As the client wrote it, a token in its query included (Envoy): never to be logged. */
function originalUri(request: RequestHead): string {
  const path = request.header('x-envoy-original-path') ?? request.path;
  return `${request.scheme}://${request.authority}${path.slice(0, MAX_REALM_PATH)}`;
}

function unknownRequirement(name: string, { named, silent }: JwtAuthnConfig): LocalReply {
  const text = `Wrong requirement_name: ${name}. It should be one of [${[...named.keys()].sort().join(',')}]`;
  return localReply({ status: 403, details: detailsOf(text), ...(silent ? {} : { body: `Failed JWT authentication: ${text}` }) });
}

function detailsOf(text: string): string {
  return `jwt_authn_access_denied{${text.replaceAll(' ', '_')}}`;
}

/** A browser sends no credentials with it. */
function isPreflight(request: RequestHead): boolean {
  return request.method === 'OPTIONS' && Boolean(request.header('origin')) && Boolean(request.header('access-control-request-method'));
}
