import type grpc from '@grpc/grpc-js';
import type { ResponseHead } from '@ripstop/core';
import { metadataText, metadataValue } from './metadata-text.ts';

/** A response's head over the Metadata that the app gets: the initial one, or the trailers when they came alone. */
export class AnswerHead implements ResponseHead {
  status: number;
  readonly metadata: grpc.Metadata;
  /** Set for trailers-only answers: only there does grpc-status stand in the headers. */
  readonly grpcStatus: number | undefined;

  constructor(status: number, metadata: grpc.Metadata, grpcStatus: number | undefined) {
    this.status = status;
    this.metadata = metadata;
    this.grpcStatus = grpcStatus;
  }

  header(name: string): string | undefined {
    if (name === 'grpc-status' && this.grpcStatus !== undefined) return String(this.grpcStatus);
    if (name === ':status') return String(this.status);
    return metadataText(this.metadata, name);
  }

  firstLine(name: string): string | undefined {
    const [first] = this.metadata.get(name);
    return first === undefined ? this.header(name) : first.toString();
  }

  setHeader(name: string, value: string): void {
    this.metadata.set(name, metadataValue(name, value));
  }

  appendHeader(name: string, value: string): void {
    this.metadata.add(name, metadataValue(name, value));
  }

  removeHeader(name: string): void {
    this.metadata.remove(name);
  }
}
