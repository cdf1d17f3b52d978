import type grpc from '@grpc/grpc-js';

/** A call as grpc-js's channels make it: serialised messages in, serialised messages out. */
export type CallStream = grpc.experimental.CallStream;

/** What comes with a message to send: its flags and the sender's wish to be told when it was written. */
export type MessageContext = Parameters<CallStream['sendMessageWithContext']>[0];
