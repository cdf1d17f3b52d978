import grpc from '@grpc/grpc-js';
import type { IdentitySource, Svid } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { meshServerCredentials } from './server-credentials.ts';
import { MeshDouble } from './testing/mesh-double.ts';

const svid = (generation: number): Svid =>
  ({ certificateChainPem: `C${generation}`, privateKeyPem: `K${generation}`, trustBundlePem: `T${generation}` }) as Svid;
const options = (generation: number) => ({ cert: `C${generation}`, key: `K${generation}`, ca: `T${generation}` });

class Identity implements IdentitySource {
  readonly watchers = new Set<(next: Svid) => void>();
  now: Svid | undefined;
  current(): Svid | undefined {
    return this.now;
  }
  onRotate(run: (next: Svid) => void): () => void {
    this.watchers.add(run);
    return () => this.watchers.delete(run);
  }
}

describe('credentials of a gRPC server that binds itself', () => {
  it('demand a certificate that is verified, by TLS 1.2 at least, and bring the guard of the mesh', () => {
    const credentials = meshServerCredentials(new MeshDouble({}), { workloadPort: 1 });
    expect(credentials._isSecure()).toBe(true);
    expect(credentials._getConstructorOptions()).toEqual({ requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' });
    expect(credentials._getInterceptors()).toEqual([expect.any(Function)]);
  });

  it('let nobody in before the CA has issued a certificate, or where there is no identity', () => {
    const identity = new Identity();
    const credentials = meshServerCredentials(new MeshDouble({ identity }), { workloadPort: 1 });
    expect(credentials._getSecureContextOptions()).toBeNull();
    identity.now = svid(1);
    expect(credentials._getSecureContextOptions()).toEqual(options(1));
    expect(meshServerCredentials(new MeshDouble({}), { workloadPort: 1 })._getSecureContextOptions()).toBeNull();
  });

  it('tell each server of a new certificate, for as long as there is one', () => {
    const identity = new Identity();
    identity.now = svid(1);
    const credentials = meshServerCredentials(new MeshDouble({ identity }), { workloadPort: 1 });
    const told: unknown[] = [];
    const [one, other] = [(now: unknown): unknown => told.push(['one', now]), (now: unknown): unknown => told.push(['other', now])];
    credentials._addWatcher(one as never);
    credentials._addWatcher(other as never);
    expect(identity.watchers.size).toBe(1);
    for (const run of identity.watchers) run(svid(2));
    expect(told).toEqual([
      ['one', options(2)],
      ['other', options(2)],
    ]);
    credentials._removeWatcher(one as never);
    for (const run of identity.watchers) run(svid(3));
    expect(told.slice(2)).toEqual([['other', options(3)]]);
    credentials._removeWatcher(other as never);
    expect(identity.watchers.size).toBe(0);
    credentials._addWatcher(one as never);
    expect(identity.watchers.size).toBe(1);
  });

  it('may be watched where there is no identity', () => {
    const credentials = meshServerCredentials(new MeshDouble({}), { workloadPort: 1 });
    const watcher = () => {};
    credentials._addWatcher(watcher as never);
    expect(() => credentials._removeWatcher(watcher as never)).not.toThrow();
  });

  it('are those of one server and no other', () => {
    const [one, other] = [1, 2].map(() => meshServerCredentials(new MeshDouble({}), { workloadPort: 1 }));
    expect([one!._equals(one!), one!._equals(other!), one!._equals(grpc.ServerCredentials.createInsecure())]).toEqual([true, false, false]);
  });
});
