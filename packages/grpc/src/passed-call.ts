import type grpc from '@grpc/grpc-js';

/** What hears of a call's events behind us: grpc-js's handler, or the app's own interceptor. */
export type CallListener = Parameters<grpc.ServerInterceptingCallInterface['start']>[0];
/** As handlers give it: metadata may be missing. */
export type PartialStatus = Parameters<grpc.ServerInterceptingCallInterface['sendStatus']>[0];

/**
 * A server's call with somebody in between, who leaves most of it alone. `grpc.ServerInterceptingCall` does the same with a dozen
 * closures for each call, to let its parts answer later; ours answer at once.
 */
export abstract class PassedCall implements grpc.ServerInterceptingCallInterface {
  protected readonly call: grpc.ServerInterceptingCallInterface;

  constructor(call: grpc.ServerInterceptingCallInterface) {
    this.call = call;
  }

  abstract start(listener: CallListener): void;
  abstract sendMetadata(metadata: grpc.Metadata): void;
  abstract sendMessage(message: unknown, callback: () => void): void;
  abstract sendStatus(status: PartialStatus): void;

  startRead(): void {
    this.call.startRead();
  }

  getPeer(): string {
    return this.call.getPeer();
  }

  getDeadline(): grpc.Deadline {
    return this.call.getDeadline();
  }

  getHost(): string {
    return this.call.getHost();
  }

  getAuthContext(): ReturnType<grpc.ServerInterceptingCallInterface['getAuthContext']> {
    return this.call.getAuthContext();
  }

  getConnectionInfo(): ReturnType<grpc.ServerInterceptingCallInterface['getConnectionInfo']> {
    return this.call.getConnectionInfo();
  }

  getMetricsRecorder(): ReturnType<grpc.ServerInterceptingCallInterface['getMetricsRecorder']> {
    return this.call.getMetricsRecorder();
  }
}
