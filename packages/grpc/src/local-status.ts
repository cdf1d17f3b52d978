import grpc from '@grpc/grpc-js';
import { grpcStatusOfHttp, type LocalReply } from '@ripstop/core';
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

/** Turns a {@link LocalReply} into the status that Envoy would send to a gRPC caller: the one place that does, in both directions. */
export function localStatus(reply: LocalReply): grpc.StatusObject {
  const metadata = new grpc.Metadata();
  for (const [name, value] of reply.headers) {
    const lower = name.toLowerCase();
    if (!NOT_METADATA.has(lower)) metadata.add(lower, metadataValue(lower, value));
  }
  return { code: reply.grpcStatus ?? grpcStatusOfHttp(reply.status), details: reply.body, metadata };
}
