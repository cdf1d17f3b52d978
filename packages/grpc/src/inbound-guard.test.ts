import { channel } from 'node:diagnostics_channel';
import grpc from '@grpc/grpc-js';
import { NO_PEER } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, fromPem, issueCertificate } from '@ripstop/pki';
import { beforeAll, describe, expect, it } from 'vitest';
import { InboundConnection } from './inbound-connection.ts';
import { InboundGuard } from './inbound-guard.ts';
import { inboundChain, MeshDouble } from './testing/mesh-double.ts';
import { MESH_TLS } from './testing/test-identity.ts';

const PORT = 50051;
let certificate: Buffer;
beforeAll(() => {
  const times = { notBeforeMs: Date.now() - 3_600_000, notAfterMs: Date.now() + 3_600_000 };
  const root = createSelfSignedRoot({ organization: 'test', ...times });
  const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
  const names = { uris: ['spiffe://cluster.local/ns/default/sa/web'] };
  certificate = fromPem(issueCertificate(issuer, { publicKey: createKeyPair().publicKey, names, ...times }), 'CERTIFICATE')[0]!;
});

/** Whether a call over a connection that only grpc-js knows is taken by a chain that matches this. */
function isTaken(
  applicationProtocols: readonly string[],
  { mtls, port = PORT }: { readonly mtls: boolean; readonly port?: number },
): boolean {
  const match = { destinationPort: port, serverNames: [], transportProtocol: mtls ? 'tls' : 'raw_buffer', applicationProtocols } as const;
  const double = new MeshDouble({ inbound: [inboundChain(PORT, [], { match, tls: mtls ? MESH_TLS : undefined })] });
  const heard: grpc.Metadata[] = [];
  let events: { onReceiveMetadata(metadata: grpc.Metadata): void } | undefined;
  const call = {
    start: (listener: typeof events) => {
      events = listener;
    },
    getConnectionInfo: () => ({ remoteAddress: '10.0.0.9' }),
    getAuthContext: () => (mtls ? { sslPeerCertificate: { raw: certificate } } : {}),
    getDeadline: () => Number.POSITIVE_INFINITY,
    getHost: () => 'greeter',
    sendStatus: () => {},
  };
  const guard = new InboundGuard(double, PORT);
  const passed = guard.interceptor({ path: '/test.Greeter/Greet', requestStream: false } as never, call as never);
  passed.start({ onReceiveMetadata: (metadata: grpc.Metadata) => heard.push(metadata) } as never);
  events!.onReceiveMetadata(new grpc.Metadata());
  return heard.length > 0;
}

describe('a call over a connection that only grpc-js knows', () => {
  it.each(['istio', 'istio-h2', 'h2'])('with mutual TLS is one of the mesh, which offers %s', (protocol) => {
    expect(isTaken([protocol], { mtls: true })).toBe(true);
  });

  it('is one of HTTP/2 without TLS, where there is none', () => {
    expect([isTaken(['h2c'], { mtls: false }), isTaken([], { mtls: false })]).toEqual([true, true]);
  });

  it('is of no other protocol and of no other port', () => {
    expect([isTaken(['http/1.1'], { mtls: true }), isTaken(['http/1.1'], { mtls: false })]).toEqual([false, false]);
    expect([isTaken([], { mtls: true, port: 1 }), isTaken([], { mtls: false, port: 1 })]).toEqual([false, false]);
  });
});

it('a guard listens to streams of HTTP/2 from its first connection on, until it is closed', () => {
  const streams = channel('http2.server.stream.created');
  const before = streams.hasSubscribers;
  const guard = new InboundGuard(new MeshDouble({}), PORT);
  const enter = (): void => guard.enter(new InboundConnection({ port: PORT, tls: false, sni: '', alpn: [] }, NO_PEER), () => {});
  guard.close();
  for (let times = 0; times < 2; times++) {
    enter();
    enter();
    expect(streams.hasSubscribers).toBe(true);
    guard.close();
    expect(streams.hasSubscribers).toBe(before);
  }
});
