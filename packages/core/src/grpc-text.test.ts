import { describe, expect, it } from 'vitest';
import { encodeGrpcMessage, isGrpcContentType } from './grpc-text.ts';

describe('gRPC over HTTP', () => {
  it.each([
    ['application/grpc', true],
    ['application/grpc+proto', true],
    ['application/grpc-web', false],
    ['application/grpcx', false],
    ['application/json', false],
    [undefined, false],
  ])('takes content type %s for gRPC: %s', (contentType, expected) => {
    expect(isGrpcContentType(contentType)).toBe(expected);
  });

  it('escapes in a message what is not printable ASCII, and the percent sign', () => {
    expect(encodeGrpcMessage('RBAC: 100% \u00e4\n')).toBe('RBAC: 100%25 %C3%A4%0A');
  });
});
