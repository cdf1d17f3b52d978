import {
  type Authorizer,
  compileHeaderValue,
  createExtAuthz,
  createHttpAuthorizer,
  createRefusal,
  EXT_AUTHZ,
  type ExtAuthzConfig,
  type ExtAuthzOverride,
  type FilterEnv,
  type FilterFactory,
  type StringTest,
  type UpstreamCalls,
} from '@ripstop/core';
import {
  type BufferSettings,
  ExtAuthz,
  type ExtAuthzHttpService,
  ExtAuthzPerRoute,
  type ListStringMatcher,
  typeUrlOf,
} from '@ripstop/xds-api';
import { compileGrpcTarget } from '../../grpc-target.ts';
import { compileStringMatcher } from '../../matchers.ts';
import { compileMetadataMatcher } from '../../metadata-matcher.ts';
import { fraction, milliseconds } from '../../values.ts';
import { createGrpcAuthorizer } from './grpc-authorizer.ts';

type AuthorizerIn = (env: FilterEnv & { readonly calls: UpstreamCalls }) => Authorizer;
/** The authorizer is made per instance: who carries its calls is known only then. */
type Config = Omit<ExtAuthzConfig, 'authorizer'> & { readonly authorizer: AuthorizerIn };

/** Envoy's default of both kinds of service. */
const DEFAULT_TIMEOUT_MS = 200;
/** ext_authz asks by this and no other version. */
const UNSUPPORTED = [
  'typedMetadataContextNamespaces',
  'routeMetadataContextNamespaces',
  'routeTypedMetadataContextNamespaces',
  'encodeRawHeaders',
  'decoderHeaderMutationRules',
  'bootstrapMetadataLabelsKey',
  'validateMutations',
] as const;

export const extAuthz: FilterFactory<Config | ExtAuthzOverride> = {
  typeUrl: typeUrlOf(ExtAuthz.$type),
  overrideTypeUrl: typeUrlOf(ExtAuthzPerRoute.$type),
  directions: ['inbound', 'outbound'],
  decode: (body) => decodeExtAuthz(ExtAuthz.decode(body)),
  decodeOverride: (body) => decodeOverride(ExtAuthzPerRoute.decode(body)),
  mergeOverrides: mergeOverrides as (general: Config | ExtAuthzOverride, specific: Config | ExtAuthzOverride) => ExtAuthzOverride,
  create: (config, override, env) => {
    const { calls } = env;
    if (calls === undefined) return createRefusal(EXT_AUTHZ);
    const filter = config as Config;
    return createExtAuthz({ ...filter, authorizer: filter.authorizer({ ...env, calls }) }, override as ExtAuthzOverride | undefined, env);
  },
};

function decodeExtAuthz(message: ExtAuthz): Config {
  for (const field of UNSUPPORTED) {
    const value = message[field];
    if (Array.isArray(value) ? value.length > 0 : Boolean(value)) throw new Error(`ext_authz: ${snake(field)} is not supported`);
  }
  const { filterEnabled, filterEnabledMetadata, statusOnError } = message;
  return {
    authorizer: authorizerOf(message),
    failureModeAllow: message.failureModeAllow,
    failureModeAllowHeader: message.failureModeAllowHeaderAdd,
    statusOnError: statusOnError?.code || 403,
    enabledWhen: filterEnabledMetadata === undefined ? undefined : compileMetadataMatcher(filterEnabledMetadata),
    enabledShare: filterEnabled === undefined ? undefined : fraction(filterEnabled.defaultValue),
    denyAtDisable: message.denyAtDisable?.defaultValue ?? false,
    body: bodyOf(message.withRequestBody),
    clearRouteCache: message.clearRouteCache,
  };
}

function authorizerOf(message: ExtAuthz): AuthorizerIn {
  const { services } = message;
  const allowedHeaders = testOf(message.allowedHeaders);
  const disallowedHeaders = testOf(message.disallowedHeaders);
  if (services?.$case === 'httpService') return httpAuthorizer(services.value, allowedHeaders, disallowedHeaders);
  if (services?.$case !== 'grpcService') throw new Error('ext_authz: neither grpc_service nor http_service');
  const target = compileGrpcTarget(services.value, 'ext_authz: grpc_service', DEFAULT_TIMEOUT_MS);
  const options = {
    allowedHeaders,
    disallowedHeaders,
    packAsBytes: message.withRequestBody?.packAsBytes ?? false,
    includePeerCertificate: message.includePeerCertificate,
    includeTlsSession: message.includeTlsSession,
    metadataNamespaces: message.metadataContextNamespaces,
  };
  return (env) => createGrpcAuthorizer(target, options, env.calls, env);
}

function httpAuthorizer(service: ExtAuthzHttpService, allowed: StringTest | undefined, disallowed: StringTest | undefined): AuthorizerIn {
  const { serverUri, pathPrefix, authorizationRequest: request, authorizationResponse: response } = service;
  if (serverUri?.httpUpstreamType?.$case !== 'cluster') throw new Error('ext_authz: http_service.server_uri names no cluster');
  if (pathPrefix !== '' && !pathPrefix.startsWith('/'))
    throw new Error(`ext_authz: http_service.path_prefix ${pathPrefix} must begin with /`);
  const config = {
    cluster: serverUri.httpUpstreamType.value,
    pathPrefix,
    timeoutMs: milliseconds(serverUri.timeout, DEFAULT_TIMEOUT_MS),
    allowedHeaders: allowed ?? testOf(request?.allowedHeaders),
    disallowedHeaders: disallowed,
    additions: (request?.headersToAdd ?? []).map(({ key, value }) => {
      const render = compileHeaderValue(value);
      return { name: key.toLowerCase(), value: (x: Parameters<typeof render>[0]) => render(x, x.request) };
    }),
    toUpstream: testOf(response?.allowedUpstreamHeaders),
    toUpstreamAppended: testOf(response?.allowedUpstreamHeadersToAppend),
    toCallerOnDenial: testOf(response?.allowedClientHeaders),
    toCallerOnSuccess: testOf(response?.allowedClientHeadersOnSuccess),
    toMetadata: testOf(response?.dynamicMetadataFromHeaders),
  };
  return ({ calls }) => createHttpAuthorizer(config, calls);
}

function decodeOverride({ override }: ExtAuthzPerRoute): ExtAuthzOverride {
  if (override?.$case !== 'checkSettings') {
    if (override?.value !== true) throw new Error('ext_authz per route: neither disabled nor check_settings');
    return { disabled: true, contextExtensions: {}, body: undefined, authorizer: undefined };
  }
  const { contextExtensions, disableRequestBodyBuffering, withRequestBody } = override.value;
  if (disableRequestBodyBuffering && withRequestBody !== undefined)
    throw new Error('ext_authz per route: disable_request_body_buffering and with_request_body exclude each other');
  return {
    disabled: false,
    contextExtensions,
    body: disableRequestBodyBuffering ? 'none' : bodyOf(withRequestBody),
    authorizer: undefined,
  };
}

/** Context extensions of all levels are joined; the rest is as the most specific one says. */
function mergeOverrides(general: ExtAuthzOverride, specific: ExtAuthzOverride): ExtAuthzOverride {
  return { ...specific, contextExtensions: { ...general.contextExtensions, ...specific.contextExtensions } };
}

function bodyOf(settings: BufferSettings | undefined): ExtAuthzConfig['body'] {
  if (settings === undefined) return undefined;
  if (settings.maxRequestBytes === 0) throw new Error('ext_authz: with_request_body.max_request_bytes must be above 0');
  return { maxBytes: settings.maxRequestBytes, allowPartial: settings.allowPartialMessage };
}

function testOf(list: ListStringMatcher | undefined): StringTest | undefined {
  const tests = (list?.patterns ?? []).map(compileStringMatcher);
  if (tests.length === 0) return undefined;
  return (text) => tests.some((test) => test(text));
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
