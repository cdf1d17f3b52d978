import { channel } from 'node:diagnostics_channel';
import grpc from '@grpc/grpc-js';
import { NO_PEER } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { InboundConnection } from './inbound-connection.ts';
import { InboundGuard } from './inbound-guard.ts';
import { inboundChain, MeshDouble } from './testing/mesh-double.ts';

const PORT = 50051;
const connection = (): InboundConnection => new InboundConnection({ port: PORT, tls: false, sni: '', alpn: [] }, NO_PEER);

/** A port that takes everybody, and a call that comes by the connection, or by none. */
function called(by: InboundConnection | undefined) {
  const match = { destinationPort: 0, serverNames: [], transportProtocol: '', applicationProtocols: [] } as const;
  const double = new MeshDouble({ inbound: [inboundChain(PORT, [], { match })] });
  const [heard, statuses, refused]: [grpc.Metadata[], number[], InboundConnection[]] = [[], [], []];
  let events: { onReceiveMetadata(metadata: grpc.Metadata): void } | undefined;
  const call = {
    start: (listener: typeof events) => {
      events = listener;
    },
    getDeadline: () => Number.POSITIVE_INFINITY,
    getHost: () => 'greeter',
    sendStatus: ({ code }: grpc.StatusObject) => statuses.push(code),
  };
  const guard = new InboundGuard(double, PORT, (one) => refused.push(one));
  const take = (): void => {
    const method = { path: '/test.Greeter/Greet', requestStream: false };
    const passed = guard.interceptor(method as never, call as never);
    passed.start({ onReceiveMetadata: (metadata: grpc.Metadata) => heard.push(metadata) } as never);
    events!.onReceiveMetadata(new grpc.Metadata());
  };
  if (by === undefined) take();
  else guard.enter(by, take);
  guard.close();
  return { heard: heard.length, statuses, refused };
}

describe('a call of a gRPC server', () => {
  it('is judged by the connection that it came over', () => {
    expect(called(connection())).toEqual({ heard: 1, statuses: [], refused: [] });
    const distrusted = Object.assign(connection(), { distrusted: true });
    expect(called(distrusted)).toEqual({ heard: 0, statuses: [grpc.status.UNAVAILABLE], refused: [distrusted] });
  });

  it('that came over none that the mesh has let in is served to nobody, however open the port is', () => {
    expect(called(undefined)).toMatchObject({ heard: 0, statuses: [grpc.status.UNAVAILABLE] });
  });
});

it('a guard listens to streams of HTTP/2 from its first connection on, until it is closed', () => {
  const streams = channel('http2.server.stream.created');
  const before = streams.hasSubscribers;
  const guard = new InboundGuard(new MeshDouble({}), PORT);
  guard.close();
  for (let times = 0; times < 2; times++) {
    for (let calls = 0; calls < 2; calls++) guard.enter(connection(), () => {});
    expect(streams.hasSubscribers).toBe(true);
    guard.close();
    expect(streams.hasSubscribers).toBe(before);
  }
});
