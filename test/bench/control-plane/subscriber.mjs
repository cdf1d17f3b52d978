// One subscriber: a delta ADS stream on a connection of its own, which asks as a sidecar does and takes everything.
import { DeltaDiscoveryRequest, HEALTH_TYPE_URL } from '../../../packages/xds-api/dist/index.mjs';
import { readDelta } from './delta-reader.mjs';
import { Frames } from './frames.mjs';
import { GrpcStream } from './grpc-stream.mjs';

const TYPE = 'type.googleapis.com/envoy.config.';
export const CLUSTERS = `${TYPE}cluster.v3.Cluster`;
export const ENDPOINTS = `${TYPE}endpoint.v3.ClusterLoadAssignment`;
const LISTENERS = `${TYPE}listener.v3.Listener`;
export const ROUTES = `${TYPE}route.v3.RouteConfiguration`;
/** As much as an Envoy takes before it says that it has read (its defaults since 1.36; before, 256 MiB each). */
const STREAM_WINDOW = 16 * 1024 * 1024;
const CONNECTION_WINDOW = 24 * 1024 * 1024;
const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

export class Subscriber {
  /** `onResponse(subscriber, response, bytes)` runs after the ACK was written. */
  constructor({ address, name, namespace, onResponse }) {
    this.onResponse = onResponse;
    this.name = name;
    this.namespace = namespace;
    this.frames = new Frames((bytes) => this.#answer(bytes));
    this.asked = new Map();
    this.types = new Set();
    this.stream = new GrpcStream({
      address,
      path: PATH,
      streamWindow: STREAM_WINDOW,
      connectionWindow: CONNECTION_WINDOW,
      onData: (chunk) => this.frames.add(chunk),
      onError: (error) => (this.error = error),
    });
    this.#send({ typeUrl: CLUSTERS, node: this.#node(), resourceNamesSubscribe: ['*'] });
  }

  /** Serves one more (or one less) endpoint of an app, as a registered process says it. */
  register(app, error) {
    const errorDetail = error === undefined ? undefined : { code: 14, message: error, details: [] };
    this.#send({ typeUrl: HEALTH_TYPE_URL, node: this.#node(app), errorDetail });
  }

  /** Everything that a sidecar asks for has come. */
  get complete() {
    return this.types.size === 4;
  }

  close() {
    this.stream.destroy();
  }

  #node(app) {
    const ports = [{ workloadPort: 8080, name: '', address: '127.0.0.1', port: 20_001 }];
    return {
      id: `sidecar~127.0.0.1~${this.name}.${this.namespace}~${this.namespace}.svc.cluster.local`,
      metadata: { NAMESPACE: this.namespace, LABELS: { app: app ?? this.name }, ...(app === undefined ? {} : { RIPSTOP_PORTS: ports }) },
    };
  }

  #send(fields) {
    const body = DeltaDiscoveryRequest.encode(DeltaDiscoveryRequest.fromPartial(fields)).finish();
    const frame = Buffer.alloc(5 + body.length);
    frame.writeUInt32BE(body.length, 1);
    frame.set(body, 5);
    this.stream.send(frame);
  }

  #answer(bytes) {
    const response = readDelta(bytes);
    const { typeUrl, nonce, names } = response;
    this.#send({ typeUrl, responseNonce: nonce });
    this.types.add(typeUrl);
    if (typeUrl === CLUSTERS) {
      this.#ask(
        ENDPOINTS,
        names.filter((name) => name.startsWith('outbound|')),
      );
      if (!this.asked.has(LISTENERS)) this.#ask(LISTENERS, ['*']);
    } else if (typeUrl === LISTENERS) {
      this.#ask(
        ROUTES,
        names.flatMap((name) => (name.startsWith('0.0.0.0_') ? [name.slice(8)] : [])),
      );
    }
    this.onResponse(this, response, bytes);
  }

  #ask(typeUrl, names) {
    const known = this.asked.get(typeUrl) ?? new Set();
    this.asked.set(typeUrl, known);
    const more = names.filter((name) => !known.has(name));
    for (const name of more) known.add(name);
    if (more.length > 0) this.#send({ typeUrl, resourceNamesSubscribe: more });
  }
}
