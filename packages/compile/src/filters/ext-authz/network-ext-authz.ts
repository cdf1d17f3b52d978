import {
  type ConnectionAuthorizer,
  type ConnectionVerdict,
  createNetworkExtAuthz,
  createRefusal,
  type FilterEnv,
  type FilterFactory,
  NETWORK_EXT_AUTHZ,
  type NetworkExtAuthzConfig,
  type UpstreamCalls,
} from '@ripstop/core';
import { CheckResponse, NetworkExtAuthz, typeUrlOf } from '@ripstop/xds-api';
import { compileGrpcTarget } from '../../grpc-target.ts';
import { compileMetadataMatcher } from '../../metadata-matcher.ts';
import { type ConnectionCheckOptions, connectionCheckRequest } from './check-request.ts';
import { CHECK_METHOD } from './grpc-authorizer.ts';

/** Envoy's default. */
const DEFAULT_TIMEOUT_MS = 200;

type AuthorizerIn = (env: FilterEnv & { readonly calls: UpstreamCalls }) => ConnectionAuthorizer;
type Config = Omit<NetworkExtAuthzConfig, 'authorizer'> & { readonly authorizer: AuthorizerIn };

export const networkExtAuthz: FilterFactory<Config> = {
  typeUrl: typeUrlOf(NetworkExtAuthz.$type),
  directions: ['inbound', 'outbound'],
  decode: (body) => decodeNetworkExtAuthz(NetworkExtAuthz.decode(body)),
  create: (config, _override, env) => {
    const { calls } = env;
    if (calls === undefined) return createRefusal(NETWORK_EXT_AUTHZ);
    return createNetworkExtAuthz({ ...config, authorizer: config.authorizer({ ...env, calls }) }, env);
  },
};

function decodeNetworkExtAuthz(message: NetworkExtAuthz): Config {
  if (message.grpcService === undefined) throw new Error('network ext_authz: no grpc_service');
  if (message.bootstrapMetadataLabelsKey !== '') throw new Error('network ext_authz: bootstrap_metadata_labels_key is not supported');
  const target = compileGrpcTarget(message.grpcService, 'network ext_authz: grpc_service', DEFAULT_TIMEOUT_MS);
  const options: ConnectionCheckOptions = {
    includePeerCertificate: message.includePeerCertificate,
    includeTlsSession: message.includeTlsSession,
  };
  const { filterEnabledMetadata } = message;
  return {
    failureModeAllow: message.failureModeAllow,
    statPrefix: message.statPrefix,
    enabledWhen: filterEnabledMetadata === undefined ? undefined : compileMetadataMatcher(filterEnabledMetadata),
    authorizer: ({ calls, ...env }) => ({
      ask: async (x) => {
        const { cluster, authority, timeoutMs, metadata } = target;
        const question = { x, cluster, authority, path: CHECK_METHOD, timeoutMs, metadata };
        const answer = await calls.grpc({ ...question, message: connectionCheckRequest(x, options, env) });
        return 'failure' in answer ? { kind: 'error' } : verdictOf(answer.message);
      },
    }),
  };
}

function verdictOf(bytes: Uint8Array): ConnectionVerdict {
  try {
    const { status, dynamicMetadata: metadata } = CheckResponse.decode(bytes);
    return { kind: (status?.code ?? 0) === 0 ? 'ok' : 'denied', metadata };
  } catch {
    return { kind: 'error' }; // It cannot be read.
  }
}
