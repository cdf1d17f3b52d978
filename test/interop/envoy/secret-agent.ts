import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import type { IdentitySource, Svid } from '@ripstop/core';
import { DiscoveryRequest, DiscoveryResponse, packAny, SECRET_TYPE_URL, Secret } from '@ripstop/xds-api';

const STREAM: grpc.MethodDefinition<DiscoveryRequest, DiscoveryResponse> = {
  path: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
  requestStream: true,
  responseStream: true,
  requestSerialize: (message) => Buffer.from(DiscoveryRequest.encode(message).finish()),
  requestDeserialize: (bytes) => DiscoveryRequest.decode(bytes),
  responseSerialize: (message) => Buffer.from(DiscoveryResponse.encode(message).finish()),
  responseDeserialize: (bytes) => DiscoveryResponse.decode(bytes),
};

type SecretCall = grpc.ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;

/**
 * The part of Istio's agent that an Envoy needs: the secrets `default` (certificate and key) and `ROOTCA` over a Unix socket, again
 * after each rotation. Keys stay in memory, as with the agent. Other names (`file-cert:…`) get no answer.
 */
export class SecretAgent implements AsyncDisposable {
  readonly path: string;
  private readonly server = new grpc.Server();
  private readonly identity: IdentitySource;
  private readonly subscriptions = new Map<SecretCall, readonly string[]>();
  private readonly cancel: () => void;

  static async start(folder: string, identity: IdentitySource): Promise<SecretAgent> {
    const agent = new SecretAgent(join(folder, 'sds.sock'), identity);
    await new Promise<void>((resolve, reject) => {
      agent.server.bindAsync(`unix:${agent.path}`, grpc.ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    return agent;
  }

  private constructor(path: string, identity: IdentitySource) {
    this.path = path;
    this.identity = identity;
    this.server.addService({ StreamSecrets: STREAM }, { StreamSecrets: (call: SecretCall) => this.serve(call) });
    this.cancel = identity.onRotate((svid) => {
      for (const [call, names] of this.subscriptions) send(call, names, svid);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
    this.server.forceShutdown();
  }

  private serve(call: SecretCall): void {
    call.on('data', ({ resourceNames, responseNonce, errorDetail }: DiscoveryRequest) => {
      const before = this.subscriptions.get(call);
      this.subscriptions.set(call, resourceNames);
      if (errorDetail !== undefined) throw new Error(`the Envoy refused a secret: ${errorDetail.message}`);
      const isAnswer = responseNonce !== '' && before?.join() === resourceNames.join();
      const svid = this.identity.current();
      if (!isAnswer && svid !== undefined) send(call, resourceNames, svid);
    });
    const forget = (): void => void this.subscriptions.delete(call);
    call.on('cancelled', forget);
    call.on('end', () => {
      forget();
      call.end();
    });
  }
}

function send(call: SecretCall, names: readonly string[], svid: Svid): void {
  const resources = names.flatMap((name) => secretOf(name, svid) ?? []).map((secret) => packAny(Secret, secret));
  const version = String(svid.generation);
  call.write(DiscoveryResponse.fromPartial({ typeUrl: SECRET_TYPE_URL, versionInfo: version, nonce: version, resources }));
}

function secretOf(name: string, svid: Svid): Secret | undefined {
  const text = (value: string) => ({ specifier: { $case: 'inlineString', value } }) as const;
  if (name === 'default') {
    const value = { certificateChain: text(svid.certificateChainPem), privateKey: text(svid.privateKeyPem) };
    return Secret.fromPartial({ name, type: { $case: 'tlsCertificate', value } });
  }
  if (name === 'ROOTCA')
    return Secret.fromPartial({ name, type: { $case: 'validationContext', value: { trustedCa: text(svid.trustBundlePem) } } });
  return undefined;
}
