import {
  type Cluster,
  type Endpoint,
  type LoadStream,
  type LoadStreamListener,
  type OpenLoadStream,
  type OutOfBandSpec,
  readLoadReport,
} from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { Connection, type ConnectionOwner } from '../connection.ts';
import type { Connected, ConnectTarget } from '../mtls-connector.ts';

const PATH = '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics';
/** Compressed flag and length of a message. */
const FRAME_BYTES = 5;
const LARGEST_REPORT_BYTES = 4 * 1024 * 1024;
const UNIMPLEMENTED = '12';

type ResponseHeaders = Record<string, string | string[] | undefined>;

/** Asks hosts for their load by OpenRcaService, each over an HTTP/2 connection of its own. */
export function createLoadStreams(
  connect: (target: ConnectTarget, done: Connected) => void,
  onError: (error: Error) => void,
): OpenLoadStream {
  return (spec, endpoint, cluster, listener) => new HostLoadStream(spec, endpoint, cluster, listener, connect, onError);
}

class HostLoadStream implements LoadStream, ConnectionOwner, Dispatcher.DispatchHandler {
  readonly #listener: LoadStreamListener;
  #connection: Connection | undefined;
  #over = false;
  #received: Buffer = Buffer.alloc(0);

  constructor(
    spec: OutOfBandSpec,
    endpoint: Endpoint,
    cluster: Cluster,
    listener: LoadStreamListener,
    connect: (target: ConnectTarget, done: Connected) => void,
    onError: (error: Error) => void,
  ) {
    this.#listener = listener;
    connect(targetOf(spec, endpoint, cluster), (failure, socket, http2) => {
      if (failure !== undefined) {
        this.#end(false);
        return;
      }
      if (this.#over || !http2) {
        socket!.destroy();
        this.#end(true);
        return;
      }
      this.#connection = new Connection({
        owner: this,
        origin: 'http://endpoint.invalid',
        socket: socket!,
        http2,
        options: cluster.connection,
        counter: undefined,
        generation: undefined,
        retireAt: Number.POSITIVE_INFINITY,
        onError,
      });
      this.#connection.dispatch(requestOf(spec, endpoint), this);
    });
  }

  close(): void {
    this.#over = true;
    this.#connection?.destroy();
  }

  onClosed(): void {
    this.#end(false);
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    if (status < 200) return;
    if (status === 404 || headers['grpc-status'] === UNIMPLEMENTED) this.#end(true);
    else if (status !== 200) this.#end(false);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (!this.#over && this.#received.length >= FRAME_BYTES) {
      const length = this.#received.readUInt32BE(1);
      if (this.#received[0] !== 0 || length > LARGEST_REPORT_BYTES) {
        this.#end(false);
        return;
      }
      if (this.#received.length < FRAME_BYTES + length) return;
      const report = readLoadReport(this.#received.subarray(FRAME_BYTES, FRAME_BYTES + length));
      this.#received = this.#received.subarray(FRAME_BYTES + length);
      if (report === undefined) this.#end(false);
      else this.#listener.onReport(report);
    }
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: ResponseHeaders): void {
    this.#end(trailers['grpc-status'] === UNIMPLEMENTED);
  }

  onResponseError(): void {
    this.#end(false);
  }

  #end(unsupported: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection?.destroy();
    this.#listener.onEnd(unsupported);
  }
}

function targetOf({ port }: OutOfBandSpec, endpoint: Endpoint, cluster: Cluster): ConnectTarget {
  const { address, otherAddresses, transport } = endpoint;
  return {
    address,
    otherAddresses,
    port: port || endpoint.port,
    transport,
    connection: cluster.connection,
    protocol: 'http2',
    authorityHost: '',
  };
}

function requestOf({ periodMs, authority }: OutOfBandSpec, { hostname, key }: Endpoint): Dispatcher.DispatchOptions {
  return {
    path: PATH,
    method: 'POST',
    headers: ['host', authority || hostname || key, 'content-type', 'application/grpc', 'te', 'trailers', 'user-agent', 'Envoy/orca-oob'],
    body: requestMessage(periodMs),
  };
}

/** OrcaLoadReportRequest: report_interval = 1, a Duration of seconds = 1 and nanos = 2. */
function requestMessage(periodMs: number): Buffer {
  const duration = [...field(1, Math.floor(periodMs / 1000)), ...field(2, Math.round((periodMs % 1000) * 1e6))];
  const message = [0x0a, duration.length, ...duration];
  return Buffer.from([0, 0, 0, 0, message.length, ...message]);
}

function field(number: number, value: number): number[] {
  return value === 0 ? [] : [number << 3, ...varint(value)];
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))];
}
