import type { CheckResult } from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { grpcStatusOf } from '../response-head.ts';
import type { Answer, Question } from './question.ts';

const SERVING = 1;
/** Compressed flag and length of a message. */
const FRAME_BYTES = 5;

/** `grpc.health.v1.Health/Check`; its two messages have one field each and are written and read here. */
export class GrpcQuestion implements Question {
  readonly request: Dispatcher.DispatchOptions;

  constructor(service: string, authority: string) {
    const name = Buffer.from(service);
    // HealthCheckRequest: service = 1. Names are far shorter than what two bytes of length can say.
    const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
    const frame = Buffer.alloc(FRAME_BYTES);
    frame.writeUInt32BE(message.length, 1);
    this.request = {
      path: '/grpc.health.v1.Health/Check',
      method: 'POST',
      headers: ['host', authority, 'content-type', 'application/grpc', 'te', 'trailers', 'user-agent', 'Envoy/HC'],
      body: Buffer.concat([frame, message]),
    };
  }

  judge({ status, headers, trailers, body }: Answer): CheckResult {
    const code = grpcStatusOf(trailers) ?? grpcStatusOf(headers);
    return status === 200 && code === 0 && servingStatus(body) === SERVING
      ? { kind: 'pass', degraded: false }
      : { kind: 'fail', immediate: true };
  }
}

/** HealthCheckResponse: status = 1, an enum; 0 when it is not there. */
function servingStatus(body: Buffer): number | undefined {
  if (body.length < FRAME_BYTES || body[0] !== 0) return undefined;
  const message = body.subarray(FRAME_BYTES, FRAME_BYTES + body.readUInt32BE(1));
  return message[0] === 0x08 ? message[1] : 0;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
