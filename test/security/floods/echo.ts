import type grpc from '@grpc/grpc-js';

const bytes = (value: Buffer): Buffer => value;

/** Bytes come back; that is all that a flood needs. */
export const ECHO: grpc.ServiceDefinition = {
  Echo: {
    path: '/test.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};
