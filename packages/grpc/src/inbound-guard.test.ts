import { AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import grpc from '@grpc/grpc-js';
import { type Exchange, NO_PEER } from '@ripstop/core';
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
  const ports: number[] = [];
  Object.assign(double.telemetry, { onStart: ({ port }: Exchange) => ports.push(port) });
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
  return { heard: heard.length, statuses, refused, ports };
}

describe('a call of a gRPC server', () => {
  it('is judged by the connection that it came over', () => {
    expect(called(connection())).toEqual({ heard: 1, statuses: [], refused: [], ports: [PORT] });
    const distrusted = Object.assign(connection(), { distrusted: true });
    expect(called(distrusted)).toEqual({ heard: 0, statuses: [grpc.status.UNAVAILABLE], refused: [distrusted], ports: [] });
  });

  it('that came over none that the mesh has let in is served to nobody, however open the port is', () => {
    expect(called(undefined)).toMatchObject({ heard: 0, statuses: [grpc.status.UNAVAILABLE] });
  });
});

it('a guard listens to streams of HTTP/2 from its first connection on, until it is closed', () => {
  const streams = channel('http2.server.stream.created');
  const guard = new InboundGuard(new MeshDouble({}), PORT);
  /** Whether the guard takes note of the method of a stream of that connection. */
  const connect = (): (() => boolean) => {
    let within = (run: () => void): void => run();
    guard.enter(connection(), () => {
      within = AsyncResource.bind((run: () => void): void => run());
    });
    return () => {
      const headers: Record<string, string> = { ':method': 'GET' };
      within(() => streams.publish({ stream: {}, headers }));
      return Object.keys(headers).length > 1;
    };
  };
  guard.close();
  for (let times = 0; times < 2; times++) {
    const hears = [connect(), connect()];
    expect(hears.map((one) => one())).toEqual([true, true]);
    guard.close();
    expect(hears.map((one) => one())).toEqual([false, false]);
  }
});
