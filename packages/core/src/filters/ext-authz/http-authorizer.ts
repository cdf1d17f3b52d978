import type { Exchange } from '../../exchange.ts';
import type { StringTest } from '../../route/string-test.ts';
import type { UpstreamAnswer, UpstreamCalls } from '../../upstream-calls.ts';
import type { Authorizer, AuthzQuestion, AuthzVerdict, HeaderWrite } from './verdict.ts';

/** A header of the request to the authorizer, made for each request. */
export interface AuthzHeaderAddition {
  readonly name: string;
  value(x: Exchange): string;
}

export interface HttpAuthorizerConfig {
  readonly cluster: string;
  readonly pathPrefix: string;
  readonly timeoutMs: number;
  /** Of the request's headers beside authorization. */
  readonly allowedHeaders: StringTest | undefined;
  readonly disallowedHeaders: StringTest | undefined;
  readonly additions: readonly AuthzHeaderAddition[];
  /** Of the authorizer's headers: to the upstream (replacing, or as another line), to the caller on a denial (undefined: all), on success. */
  readonly toUpstream: StringTest | undefined;
  readonly toUpstreamAppended: StringTest | undefined;
  readonly toCallerOnDenial: StringTest | undefined;
  readonly toCallerOnSuccess: StringTest | undefined;
  readonly toMetadata: StringTest | undefined;
}

const NOT_TO_CALLER_UNASKED: ReadonlySet<string> = new Set(['host', ':status']);
const ALWAYS_TO_CALLER: ReadonlySet<string> = new Set(['www-authenticate', 'location']);
const TO_REMOVE = 'x-envoy-auth-headers-to-remove';

/** An authorizer that is asked by HTTP: method, path and host of the request; 200 allows, 5xx is no answer, everything else denies. */
export function createHttpAuthorizer(config: HttpAuthorizerConfig, calls: UpstreamCalls): Authorizer {
  return {
    ask: async (x, question) => {
      const answer = await calls.http({
        x,
        cluster: config.cluster,
        authority: x.request.authority,
        method: x.request.method,
        path: config.pathPrefix + x.request.path,
        headers: headersFor(x, question, config),
        body: question.body?.bytes,
        timeoutMs: config.timeoutMs,
      });
      if ('failure' in answer) return { kind: 'error', reason: `the authorizer gave no answer: ${answer.failure}` };
      return verdictOf(answer, config);
    },
  };
}

function headersFor(x: Exchange, { body }: AuthzQuestion, config: HttpAuthorizerConfig): string[] {
  const headers = new Map<string, string>([['content-length', String(body?.bytes.length ?? 0)]]);
  const { allowedHeaders, disallowedHeaders } = config;
  const lines = x.request.pairs?.() ?? [];
  for (let at = 0; at < lines.length; at += 2) {
    const name = lines[at]!;
    if (NEVER_PASSED.has(name) || disallowedHeaders?.(name) === true) continue;
    if (name !== 'authorization' && allowedHeaders?.(name) !== true) continue;
    const before = headers.get(name);
    headers.set(name, before === undefined ? lines[at + 1]! : `${before},${lines[at + 1]}`);
  }
  if (body !== undefined) headers.set('x-envoy-auth-partial-body', String(body.partial));
  for (const { name, value } of config.additions) {
    const text = value(x);
    if (text !== '') headers.set(name, text);
  }
  headers.set('x-envoy-internal', 'true');
  if (config.timeoutMs > 0) headers.set('x-envoy-expected-rq-timeout-ms', String(config.timeoutMs));
  return [...headers].flat();
}

/** The connection's own, and what is written anew. */
const NEVER_PASSED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'x-envoy-auth-partial-body',
]);

/** What is no text (encoded bodies, pictures) stays as it is, and so does a byte order mark. */
function bodyOf(bytes: Uint8Array): { readonly body: string; readonly bytes?: Uint8Array } {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { body: new TextDecoder().decode(bytes), bytes };
  }
}

function verdictOf({ status, headers, body }: UpstreamAnswer, config: HttpAuthorizerConfig): AuthzVerdict {
  if (status >= 500) return { kind: 'error', reason: `the authorizer answered ${status}` };
  if (status !== 200) {
    const passes = config.toCallerOnDenial;
    return {
      kind: 'denied',
      status,
      headers: headers.filter(([name]) =>
        passes === undefined ? !NOT_TO_CALLER_UNASKED.has(name) : ALWAYS_TO_CALLER.has(name) || passes(name),
      ),
      ...bodyOf(body),
      metadata: undefined,
    };
  }
  const writes = (how: HeaderWrite['how'], test: StringTest | undefined): HeaderWrite[] =>
    test === undefined ? [] : headers.filter(([name]) => test(name)).map(([name, value]) => ({ how, name, value }));
  const metadata = writes('set', config.toMetadata);
  return {
    kind: 'ok',
    request: [...writes('set', config.toUpstream), ...writes('add', config.toUpstreamAppended)],
    removed: headers
      .filter(([name]) => name === TO_REMOVE)
      .flatMap(([, names]) => names.split(',').map((name) => name.trim().toLowerCase())),
    response: writes('add', config.toCallerOnSuccess),
    query: undefined,
    metadata: metadata.length === 0 ? undefined : Object.fromEntries(metadata.map(({ name, value }) => [name, value])),
  };
}
