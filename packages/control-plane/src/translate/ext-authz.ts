import type { ExtAuthzGrpcProvider, ExtAuthzHttpProvider, ExtensionProvider } from '@ripstop/istio-api';
import { ApiVersion, type ExtAuthz, type GrpcService, type ListStringMatcher, type NetworkExtAuthz, StatusCode } from '@ripstop/xds-api';
import type { MeshService } from '../push/service.ts';
import { outboundCluster } from './names.ts';
import { duration, type FieldsOf } from './values.ts';

type HttpFields = FieldsOf<typeof ExtAuthz>;
type NetworkFields = FieldsOf<typeof NetworkExtAuthz>;

/** A provider as the filters that ask it. TCP connections are shown to gRPC authorizers only. */
export interface Authorizer {
  readonly http: HttpFields;
  readonly tcp: NetworkFields | undefined;
}

/** A provider that cannot be asked, and why. */
export interface BrokenAuthorizer {
  readonly error: string;
}

const DEFAULT_TIMEOUT = { seconds: 600, nanos: 0 };
const PROVIDER_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const STATUSES: ReadonlySet<number> = new Set(Object.values(StatusCode));

/** The external authorizers of the mesh by name (istiod: extauthz.go). */
export function authorizersOf(
  providers: readonly ExtensionProvider[],
  services: readonly MeshService[],
): ReadonlyMap<string, Authorizer | BrokenAuthorizer> {
  const found = new Map<string, Authorizer | BrokenAuthorizer>();
  for (const { name = '', envoyExtAuthzHttp, envoyExtAuthzGrpc } of providers) {
    if (envoyExtAuthzHttp === undefined && envoyExtAuthzGrpc === undefined) continue;
    try {
      if (!PROVIDER_NAME.test(name)) throw new Error(`provider name ${JSON.stringify(name)} is no DNS label`);
      if (found.has(name)) throw new Error(`there are two providers ${name}`);
      found.set(
        name,
        envoyExtAuthzHttp === undefined ? grpcAuthorizer(envoyExtAuthzGrpc!, services) : httpAuthorizer(envoyExtAuthzHttp, services),
      );
    } catch (error) {
      found.set(name, { error: (error as Error).message });
    }
  }
  return found;
}

function httpAuthorizer(provider: ExtAuthzHttpProvider, services: readonly MeshService[]): Authorizer {
  const { host, cluster } = clusterOf(provider, services);
  const { pathPrefix = '', headersToUpstreamOnAllow = [], headersToDownstreamOnDeny = [], headersToDownstreamOnAllow = [] } = provider;
  if (pathPrefix !== '' && !pathPrefix.startsWith('/')) throw new Error(`pathPrefix ${pathPrefix} must begin with /`);
  const toAdd = Object.entries(provider.includeAdditionalHeadersInCheck ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ key, value }));
  const response = {
    ...optional('allowedUpstreamHeaders', headerList('headersToUpstreamOnAllow', headersToUpstreamOnAllow)),
    ...optional('allowedClientHeaders', headerList('headersToDownstreamOnDeny', headersToDownstreamOnDeny)),
    ...optional('allowedClientHeadersOnSuccess', headerList('headersToDownstreamOnAllow', headersToDownstreamOnAllow)),
  };
  const included = headerList('includeRequestHeadersInCheck', provider.includeRequestHeadersInCheck ?? []);
  return {
    tcp: undefined,
    http: {
      ...common(provider),
      ...optional('allowedHeaders', included ?? headerList('includeHeadersInCheck', provider.includeHeadersInCheck ?? [])),
      services: {
        $case: 'httpService',
        value: {
          pathPrefix,
          // The uri is required and not used.
          serverUri: {
            uri: `http://${host}`,
            httpUpstreamType: { $case: 'cluster', value: cluster },
            timeout: duration(provider.timeout) ?? DEFAULT_TIMEOUT,
          },
          ...(toAdd.length === 0 ? {} : { authorizationRequest: { headersToAdd: toAdd } }),
          ...(Object.keys(response).length === 0 ? {} : { authorizationResponse: response }),
        },
      },
    },
  };
}

function grpcAuthorizer(provider: ExtAuthzGrpcProvider, services: readonly MeshService[]): Authorizer {
  const { host, cluster } = clusterOf(provider, services);
  const grpcService: FieldsOf<typeof GrpcService> = {
    targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: cluster, authority: host } },
    timeout: duration(provider.timeout) ?? DEFAULT_TIMEOUT,
  };
  return {
    http: { ...common(provider), services: { $case: 'grpcService', value: grpcService } },
    tcp: {
      statPrefix: 'tcp.',
      failureModeAllow: provider.failOpen ?? false,
      transportApiVersion: ApiVersion.V3,
      grpcService,
    },
  };
}

function common({ failOpen = false, statusOnError = '', includeRequestBodyInCheck: body }: ExtAuthzGrpcProvider): HttpFields {
  return {
    failureModeAllow: failOpen,
    transportApiVersion: ApiVersion.V3,
    ...(statusOnError === '' ? {} : { statusOnError: { code: statusOf(statusOnError) } }),
    ...(body === undefined
      ? {}
      : {
          withRequestBody: {
            maxRequestBytes: body.maxRequestBytes ?? 0,
            allowPartialMessage: body.allowPartialMessage ?? false,
            packAsBytes: body.packAsBytes ?? false,
          },
        }),
  };
}

function statusOf(text: string): StatusCode {
  const status = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !STATUSES.has(status)) throw new Error(`statusOnError ${text} is no status that Envoy knows`);
  return status as StatusCode;
}

/** istiod: LookupCluster. A host that two namespaces have must be named with its namespace. */
function clusterOf(
  { service = '', port = 0 }: ExtAuthzGrpcProvider,
  services: readonly MeshService[],
): { readonly host: string; readonly cluster: string } {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`port ${port} must be from 1 to 65535`);
  if (service === '') throw new Error('service must not be empty');
  const [namespace, host, ...rest] = service.includes('/') ? service.split('/') : [undefined, service];
  const named = rest.length > 0 ? [] : services.filter(({ hostname }) => hostname === host);
  const namespaces = new Set(named.map((candidate) => candidate.namespace));
  if (namespace === undefined && namespaces.size > 1)
    throw new Error(`${service} is in several namespaces (${[...namespaces].sort().join(', ')}): write <namespace>/${service}`);
  if (namespace === undefined ? namespaces.size === 0 : !namespaces.has(namespace)) throw new Error(`there is no service ${service}`);
  return { host: host!, cluster: outboundCluster(host!, port) };
}

function headerList(field: string, names: readonly string[]): FieldsOf<typeof ListStringMatcher> | undefined {
  if (names.length === 0) return undefined;
  return {
    patterns: names.map((name) => {
      if (name === '*') throw new Error(`${field}: a single "*" is not supported; write a prefix or suffix`);
      if (name.startsWith('*')) return { ignoreCase: true, matchPattern: { $case: 'suffix', value: name.slice(1) } };
      if (name.endsWith('*')) return { ignoreCase: true, matchPattern: { $case: 'prefix', value: name.slice(0, -1) } };
      return { ignoreCase: true, matchPattern: { $case: 'exact', value: name } };
    }),
  };
}

function optional<K extends string, V>(name: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [key in K]?: V });
}
