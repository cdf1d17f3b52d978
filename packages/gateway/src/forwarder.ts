import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, createTcpExchange, type Exchange, ResponseFlag, type TelemetrySink } from '@ripstop/core';
import type { Forwarder } from '@ripstop/server';
import type { MeshDispatcher } from '@ripstop/undici';
import { DownstreamResponse } from './downstream-response.ts';
import { TcpSession } from './tcp/tcp-session.ts';

export interface ForwarderEnvironment {
  readonly dispatcher: MeshDispatcher;
  readonly clock: Clock;
  readonly telemetry: TelemetrySink;
  readonly log?: ((line: string) => void) | undefined;
}

/** Sends what one of a gateway's listeners has let pass on to the clusters of its routes. */
export function createForwarder(env: ForwarderEnvironment, listenerName: string): Forwarder {
  const { dispatcher, clock, telemetry } = env;
  return {
    request: (x, request, response) => {
      dispatcher.forward(x, hasBody(request) ? request : null, new DownstreamResponse(x, request, response));
    },
    upgrade: (x: Exchange, request: IncomingMessage, response: ServerResponse, head: Buffer) => {
      dispatcher.forward(x, null, new DownstreamResponse(x, request, response, head), request.headers.upgrade ?? '');
    },
    unrouted: (facts, peer, snapshot) => {
      const manager = snapshot.gateways.find(({ name }) => name === listenerName)?.unrouted;
      if (manager === undefined || manager.accessLogs.length === 0) return;
      const now = clock.now();
      const x = createTcpExchange({ proxy: { manager }, snapshot, peer, port: facts.port, startedAt: now });
      x.flags |= ResponseFlag.NoRouteFound;
      x.details = 'filter_chain_not_found';
      telemetry.onEnd(x, { status: 0, grpcStatus: undefined, requestBytes: 0, responseBytes: 0, endedAt: now });
    },
    stream: (connection) => new TcpSession(env, connection).begin(),
  };
}

/** RFC 9112 §6: a request has a body when one of these says so. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && headers['content-length'] !== '0');
}
