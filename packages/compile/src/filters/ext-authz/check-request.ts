import { type AuthzQuestion, type Exchange, type FilterEnv, randomValue, type StringTest } from '@ripstop/core';
import { type AttributeContext, type AttributeContext_HttpRequest, CheckRequest } from '@ripstop/xds-api';

/** What a gRPC authorizer is shown of a connection. */
export interface ConnectionCheckOptions {
  readonly includePeerCertificate: boolean;
  readonly includeTlsSession: boolean;
}

/** What it is shown of a request. */
export interface CheckOptions extends ConnectionCheckOptions {
  /** Undefined: every header. */
  readonly allowedHeaders: StringTest | undefined;
  readonly disallowedHeaders: StringTest | undefined;
  readonly packAsBytes: boolean;
  readonly metadataNamespaces: readonly string[];
}

type Fields<C extends { fromPartial(fields: never): unknown }> = Parameters<C['fromPartial']>[0];
type PeerFields = NonNullable<Fields<typeof AttributeContext>['source']>;

/** A request as Envoy describes it to a gRPC authorizer (envoy.service.auth.v3). */
export function checkRequest(x: Exchange, question: AuthzQuestion, options: CheckOptions, env: FilterEnv): Uint8Array {
  const now = env.clock.wallTime() - (env.clock.now() - x.startedAt);
  return CheckRequest.encode(
    CheckRequest.fromPartial({
      attributes: {
        ...sides(x, x.request.header('x-envoy-downstream-service-cluster') ?? '', options, env),
        request: { time: new Date(now), http: httpRequest(x, question, options, env) },
        contextExtensions: { ...question.contextExtensions },
        metadataContext: { filterMetadata: metadata(x, options.metadataNamespaces) },
        routeMetadataContext: {},
        ...tlsSession(x, options),
      },
    }),
  ).finish();
}

/** A connection whose bytes nobody reads. */
export function connectionCheckRequest(x: Exchange, options: ConnectionCheckOptions, env: FilterEnv): Uint8Array {
  const { source, destination } = sides(x, '', options, env);
  const session = options.includeTlsSession ? { tlsSession: { sni: x.peer.sni } } : {};
  return CheckRequest.encode(
    CheckRequest.fromPartial({
      attributes: { source, destination: { ...destination, service: x.peer.sni }, metadataContext: {}, ...session },
    }),
  ).finish();
}

type Sides = Pick<Fields<typeof AttributeContext>, 'source' | 'destination'>;

function sides({ peer }: Exchange, service: string, { includePeerCertificate }: ConnectionCheckOptions, env: FilterEnv): Sides {
  return {
    source: {
      address: address(peer.address, peer.port),
      service,
      principal: peer.mtls ? (peer.uriSans[0] ?? peer.dnsSans[0] ?? peer.subject) : '',
      certificate: includePeerCertificate ? encodeURIComponent(peer.certificatePem ?? '') : '',
    },
    destination: {
      address: address(peer.localAddress, peer.localPort),
      principal: peer.shownName ?? (peer.mtls ? (env.ownSpiffeId?.() ?? '') : ''),
    },
  };
}

function tlsSession(
  { peer }: Exchange,
  { includeTlsSession }: ConnectionCheckOptions,
): Pick<Fields<typeof AttributeContext>, 'tlsSession'> {
  return includeTlsSession && peer.sni !== '' ? { tlsSession: { sni: peer.sni } } : {};
}

function httpRequest(
  x: Exchange,
  { body }: AuthzQuestion,
  options: CheckOptions,
  { random }: FilterEnv,
): Fields<typeof AttributeContext_HttpRequest> {
  const { request } = x;
  return {
    id: String(randomValue(x, random)),
    method: request.method,
    headers: headersOf(x, body?.partial, options),
    path: request.path,
    host: request.authority,
    scheme: request.header('x-forwarded-proto') ?? request.scheme,
    size: body?.received ?? 0,
    protocol: x.protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2',
    ...(body === undefined ? {} : options.packAsBytes ? { rawBody: body.bytes } : { body: text(body.bytes) }),
  };
}

function headersOf(x: Exchange, partial: boolean | undefined, { allowedHeaders, disallowedHeaders }: CheckOptions): Record<string, string> {
  const { request } = x;
  const headers: Record<string, string> = {};
  const add = (name: string, value: string): void => {
    if (name === PARTIAL_BODY || NOT_SHOWN.has(name) || disallowedHeaders?.(name) === true || allowedHeaders?.(name) === false) return;
    const shown = headerText(value);
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]},${shown}` : shown;
  };
  add(':authority', request.authority);
  add(':path', request.path);
  add(':method', request.method);
  add(':scheme', request.header('x-forwarded-proto') ?? request.scheme);
  const lines = request.pairs?.() ?? [];
  for (let at = 0; at < lines.length; at += 2) add(lines[at]!, lines[at + 1]!);
  if (partial !== undefined) headers[PARTIAL_BODY] = String(partial);
  return headers;
}

const PARTIAL_BODY = 'x-envoy-auth-partial-body';
/** Of the connection; Envoy's codec takes them off before any filter. */
const NOT_SHOWN: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'host']);

function address(host: string, port: number): NonNullable<PeerFields['address']> {
  return { address: { $case: 'socketAddress', value: { address: host, portSpecifier: { $case: 'portValue', value: port } } } };
}

function metadata(x: Exchange, namespaces: readonly string[]): Record<string, Readonly<Record<string, unknown>>> {
  const found: Record<string, Readonly<Record<string, unknown>>> = {};
  for (const name of namespaces) {
    const value = x.metadata?.get(name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** As Envoy: bytes that are no UTF-8 become `!`. */
function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replaceAll('\ufffd', '!');
}

/** The bytes of a header, which Node hands out one character each, as the text that they are. */
function headerText(value: string): string {
  return BEYOND_ASCII.test(value) ? text(Buffer.from(value, 'latin1')) : value;
}

const BEYOND_ASCII = /[\x80-\uffff]/;
