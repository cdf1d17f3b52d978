import type { Authorizer, AuthzVerdict, FilterEnv, HeaderWrite, UpstreamCalls } from '@ripstop/core';
import { CheckResponse, type DeniedHttpResponse, type HeaderValueOption, type OkHttpResponse } from '@ripstop/xds-api';
import type { GrpcTarget } from '../../grpc-target.ts';
import { type CheckOptions, checkRequest } from './check-request.ts';

export const CHECK_METHOD = '/envoy.service.auth.v3.Authorization/Check';

/** An authorizer that is asked by `envoy.service.auth.v3.Authorization/Check`. */
export function createGrpcAuthorizer(target: GrpcTarget, options: CheckOptions, calls: UpstreamCalls, env: FilterEnv): Authorizer {
  return {
    ask: async (x, question) => {
      const { cluster, authority, timeoutMs, metadata } = target;
      const answer = await calls.grpc({
        x,
        cluster,
        authority,
        path: CHECK_METHOD,
        timeoutMs,
        metadata,
        message: checkRequest(x, question, options, env),
      });
      if ('failure' in answer) return { kind: 'error', reason: `the authorizer gave no answer: ${answer.failure}` };
      try {
        return verdictOf(CheckResponse.decode(answer.message));
      } catch (error) {
        return { kind: 'error', reason: `the authorizer's answer cannot be read: ${(error as Error).message}` };
      }
    },
  };
}

/** As Envoy 1.40, measured: of a denial's headers those that say `append` are dropped; of the request's they only extend what is there. */
function verdictOf({ status, httpResponse, dynamicMetadata: outer }: CheckResponse): AuthzVerdict {
  const ok = httpResponse?.$case === 'okResponse' ? httpResponse.value : undefined;
  const metadata = ok?.dynamicMetadata ?? outer;
  if ((status?.code ?? 0) === 0) return allowed(ok, metadata);
  const denial = httpResponse?.$case === 'deniedResponse' ? httpResponse.value : undefined;
  return { kind: 'denied', status: denial?.status?.code || 403, headers: denialHeaders(denial), body: denial?.body ?? '', metadata };
}

function allowed(ok: OkHttpResponse | undefined, metadata: Readonly<Record<string, unknown>> | undefined): AuthzVerdict {
  const named = namedValues(ok?.headers);
  const set = named.filter(({ append }) => append !== true).map(({ name, value }): HeaderWrite => ({ how: 'set', name, value }));
  const joined = named.filter(({ append }) => append === true).map(({ name, value }): HeaderWrite => ({ how: 'join', name, value }));
  const query =
    ok === undefined || ok.queryParametersToSet.length + ok.queryParametersToRemove.length === 0
      ? undefined
      : { set: ok.queryParametersToSet.map(({ key, value }) => [key, value] as const), removed: ok.queryParametersToRemove };
  return {
    kind: 'ok',
    request: [...set, ...joined],
    removed: (ok?.headersToRemove ?? []).map((name) => name.toLowerCase()),
    response: namedValues(ok?.responseHeadersToAdd).map(({ name, value, append, action }) => ({
      how: responseWrite(append, action),
      name,
      value,
    })),
    query,
    metadata,
  };
}

const RESPONSE_WRITES: readonly HeaderWrite['how'][] = ['add', 'if-absent', 'set', 'if-present'];

function responseWrite(append: boolean | undefined, action: number): HeaderWrite['how'] {
  if (append !== undefined) return append ? 'add' : 'set';
  return RESPONSE_WRITES[action] ?? 'add';
}

function denialHeaders(denial: DeniedHttpResponse | undefined): readonly (readonly [string, string])[] {
  return namedValues(denial?.headers)
    .filter(({ append }) => append !== true)
    .map(({ name, value }) => [name, value]);
}

interface NamedValue {
  readonly name: string;
  readonly value: string;
  readonly append: boolean | undefined;
  readonly action: number;
}

function namedValues(options: readonly HeaderValueOption[] | undefined): NamedValue[] {
  return (options ?? []).flatMap(({ header, append, appendAction }) =>
    header === undefined || header.key === ''
      ? []
      : [{ name: header.key.toLowerCase(), value: header.value, append, action: appendAction }],
  );
}
