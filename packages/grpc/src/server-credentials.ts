import type { SecureContextOptions } from 'node:tls';
import grpc from '@grpc/grpc-js';
import type { Cancel, Svid } from '@ripstop/core';
import type { GrpcParts } from './grpc-parts.ts';
import { meshServerInterceptor, type WorkloadPort } from './server-interceptor.ts';

type SecureContextWatcher = Parameters<grpc.ServerCredentials['_addWatcher']>[0];

/**
 * Mutual TLS with the workload's certificate, renewed live, for a server that binds itself; the mesh's interceptor comes with it.
 * Such a port speaks TLS only (STRICT). `bindMeshServer` follows the PeerAuthentication in force, PERMISSIVE and DISABLE included.
 */
export function meshServerCredentials(parts: GrpcParts, port: WorkloadPort): grpc.ServerCredentials {
  return new MeshServerCredentials(parts, port);
}

class MeshServerCredentials extends grpc.ServerCredentials {
  readonly #parts: GrpcParts;
  readonly #interceptor: grpc.ServerInterceptor;
  #stopWatching: Cancel | undefined;

  constructor(parts: GrpcParts, port: WorkloadPort) {
    super({ requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' });
    this.#parts = parts;
    this.#interceptor = meshServerInterceptor(parts, port);
  }

  override _getInterceptors(): grpc.ServerInterceptor[] {
    return [this.#interceptor];
  }

  /** Null = connections are dropped until the CA has issued a certificate. */
  override _getSecureContextOptions(): SecureContextOptions | null {
    const svid = this.#parts.identity?.current();
    return svid === undefined ? null : contextOptions(svid);
  }

  override _addWatcher(watcher: SecureContextWatcher): void {
    super._addWatcher(watcher);
    this.#stopWatching ??= this.#parts.identity?.onRotate((next) => this.updateSecureContextOptions(contextOptions(next)));
  }

  override _removeWatcher(watcher: SecureContextWatcher): void {
    super._removeWatcher(watcher);
    if (this.getWatcherCount() > 0) return;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }
}

function contextOptions(svid: Svid): SecureContextOptions {
  return { cert: svid.certificateChainPem, key: svid.privateKeyPem, ca: svid.trustBundlePem };
}
