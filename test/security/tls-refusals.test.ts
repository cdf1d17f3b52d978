import { createServer } from 'node:http';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientTls, RawClient } from '../../packages/server/src/testing/raw-client.ts';
import { World } from './corpus/world.ts';

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;

describe('a STRICT port as Istio configures it', () => {
  let world: World;
  let port: number;
  let tls: ClientTls;
  beforeAll(async () => {
    world = await World.start(STRICT, []);
    ({ port } = await world.join('app').listen(
      createServer((_request, response) => void response.end('ok')),
      9080,
    ));
    await world.mesh.synced();
    tls = await world.tlsOf('caller');
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** Status of a request; 0 = the connection was refused. */
  const statusWith = async (more: Partial<ConnectionOptions>): Promise<number> => {
    try {
      const client = await RawClient.open(port, { ...tls, ...more } as ClientTls);
      const { status } = await client.get('/');
      client.close();
      return status;
    } catch {
      return 0;
    }
  };

  it.each<[what: string, options: Partial<ConnectionOptions>, status: number]>([
    ['TLS 1.3', { minVersion: 'TLSv1.3' }, 200],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }, 200],
    ['TLS 1.2 with AES-128-GCM', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }, 200],
    ['TLS 1.1', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }, 0],
    ['TLS 1.2 with CBC only', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA' }, 0],
    ['TLS 1.2 with ChaCha20 only', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' }, 0],
  ])('%s: %s', async (_what, options, status) => {
    expect(await statusWith(options)).toBe(status);
  });
});
