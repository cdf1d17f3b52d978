import grpc from '@grpc/grpc-js';
import { ClientStatusRequest, ClientStatusResponse, ConfigStatus } from '@ripstop/xds-api';
import type { Attestation, AttestedCall } from '../ca/attest/attestation.ts';
import type { XdsSession } from './xds-session.ts';

const PREFIX = '/envoy.service.status.v3.ClientStatusDiscoveryService/';

function method(name: string, stream: boolean): grpc.MethodDefinition<ClientStatusRequest, ClientStatusResponse> {
  return {
    path: PREFIX + name,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: (message) => Buffer.from(ClientStatusRequest.encode(message).finish()),
    requestDeserialize: (bytes) => ClientStatusRequest.decode(bytes),
    responseSerialize: (message) => Buffer.from(ClientStatusResponse.encode(message).finish()),
    responseDeserialize: (bytes) => ClientStatusResponse.decode(bytes),
  };
}

const METHODS = { StreamClientStatus: method('StreamClientStatus', true), FetchClientStatus: method('FetchClientStatus', false) };

type Failure = { readonly code: grpc.status; readonly details: string };

/**
 * CSDS: which resources each client has, and whether it took them. Names and versions only; contents are at /debug/config_dump. A caller
 * sees clients of its own namespace, so it must have proved who it is: this is not for the plaintext port.
 */
export function addClientStatus(server: grpc.Server, attestation: Attestation, sessions: () => readonly XdsSession[]): void {
  const answer = async (call: AttestedCall, request: ClientStatusRequest): Promise<ClientStatusResponse | Failure> => {
    try {
      const { namespace } = await attestation.account(call);
      return clientStatus(
        sessions().filter(({ node }) => node.namespace === namespace),
        request,
      );
    } catch (error) {
      return { code: grpc.status.UNAUTHENTICATED, details: error instanceof Error ? error.message : String(error) };
    }
  };
  server.addService(METHODS, {
    FetchClientStatus: (
      call: grpc.ServerUnaryCall<ClientStatusRequest, ClientStatusResponse>,
      done: grpc.sendUnaryData<ClientStatusResponse>,
    ) => {
      void answer(call, call.request).then((found) => ('code' in found ? done(found) : done(null, found)));
    },
    StreamClientStatus: (call: grpc.ServerDuplexStream<ClientStatusRequest, ClientStatusResponse>) => {
      call.on('data', (request: ClientStatusRequest) => {
        void answer(call, request).then((found) => ('code' in found ? call.emit('error', found) : call.write(found)));
      });
      call.on('end', () => call.end());
      call.on('error', () => {}); // The caller is gone, or was told why.
    },
  });
}

/** The status of those clients that the request asks about: by `node_id.exact`, or all. */
export function clientStatus(sessions: readonly XdsSession[], { nodeMatchers }: ClientStatusRequest): ClientStatusResponse | Failure {
  const ids = new Set<string>();
  for (const { nodeId, nodeMetadatas } of nodeMatchers) {
    const pattern = nodeId?.matchPattern;
    if (pattern?.$case !== 'exact' || nodeMetadatas.length > 0)
      return { code: grpc.status.INVALID_ARGUMENT, details: 'node_matchers: only node_id.exact is looked at' };
    ids.add(pattern.value);
  }
  const asked = sessions.filter(({ node }) => ids.size === 0 || ids.has(node.id));
  return ClientStatusResponse.fromPartial({
    config: asked.map((session) => ({
      node: { id: session.node.id, metadata: { NAMESPACE: session.node.namespace } },
      genericXdsConfigs: session.held.map(({ typeUrl, name, version, state, refusal }) => ({
        typeUrl,
        name,
        versionInfo: version,
        configStatus: { taken: ConfigStatus.SYNCED, sent: ConfigStatus.STALE, refused: ConfigStatus.ERROR }[state],
        errorState: refusal && { details: refusal.reason, versionInfo: refusal.version },
      })),
    })),
  });
}
