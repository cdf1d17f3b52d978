import grpc from '@grpc/grpc-js';
import { type Exchange, grpcStatusOfHttp, type LocalReply, type Pipeline, rewrittenReply } from '@ripstop/core';
import { AnswerHead } from './answer-head.ts';
import { metadataValue } from './metadata-text.ts';

/** Headers of an HTTP answer that HTTP/2 forbids or that gRPC writes itself. */
const NOT_METADATA: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** What a caller gets of a {@link LocalReply}, when the route, the connection manager and the filters have had their say. */
export function respondLocally(x: Exchange, reply: LocalReply, pipeline: Pipeline): grpc.StatusObject {
  const { code, metadata } = localStatus(reply);
  const head = new AnswerHead(200, metadata, code);
  let said = reply;
  pipeline.respond(x, head, () => {
    if (x.manager.rewriteReply === undefined) return;
    // Mappers are asked about the status of HTTP.
    head.status = reply.status;
    said = rewrittenReply(x, reply, head);
    head.status = 200;
    metadata.remove('content-type');
  });
  const told = metadata.get('grpc-status')[0];
  metadata.remove('grpc-status');
  return { code: told === undefined ? statusOf(said) : Number(told), details: said.body, metadata };
}

/** Turns a {@link LocalReply} into the status that Envoy would send to a gRPC caller: the one place that does, in both directions. */
export function localStatus(reply: LocalReply): grpc.StatusObject {
  const metadata = new grpc.Metadata();
  for (const [name, value] of reply.headers) {
    const lower = name.toLowerCase();
    if (!NOT_METADATA.has(lower)) metadata.add(lower, metadataValue(lower, value));
  }
  return { code: statusOf(reply), details: reply.body, metadata };
}

function statusOf({ grpcStatus, status }: LocalReply): number {
  return grpcStatus ?? grpcStatusOfHttp(status);
}
