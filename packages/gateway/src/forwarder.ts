import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Exchange } from '@ripstop/core';
import type { Forwarder } from '@ripstop/server';
import type { MeshDispatcher } from '@ripstop/undici';
import { DownstreamResponse } from './downstream-response.ts';

/** Sends what a gateway's listener has let pass on to the clusters of its routes. */
export function createForwarder(dispatcher: MeshDispatcher): Forwarder {
  return {
    request: (x, request, response) => {
      dispatcher.forward(x, hasBody(request) ? request : null, new DownstreamResponse(x, request, response));
    },
    upgrade: (x: Exchange, request: IncomingMessage, response: ServerResponse, head: Buffer) => {
      dispatcher.forward(x, null, new DownstreamResponse(x, request, response, head), request.headers.upgrade ?? '');
    },
  };
}

/** RFC 9112 §6: a request has a body when one of these says so. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && headers['content-length'] !== '0');
}
