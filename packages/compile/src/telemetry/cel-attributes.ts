import { Environment } from '@marcbachmann/cel-js';
import type { Exchange, Outcome } from '@ripstop/core';

interface Head {
  header(name: string): string | undefined;
}

type Attributes = Readonly<Record<string, unknown>>;

const toDuration = new Environment({ unlistedVariablesAreDyn: true }).parse('duration(text)') as (context: { text: string }) => unknown;

/**
 * Envoy's attributes of a finished exchange, as far as a process without a proxy has them. Integers are bigints, as CEL has them; what
 * has no value is left out, so that asking for it fails, as in Envoy. Groups are made when they are asked for.
 */
export function celAttributes(x: Exchange, outcome: Outcome): Attributes {
  return {
    get request() {
      return requestOf(x, outcome);
    },
    get response() {
      return responseOf(x, outcome);
    },
    get connection() {
      return connectionOf(x);
    },
    get source() {
      return addressOf(x.peer.address, x.peer.port);
    },
    get destination() {
      return x.direction === 'inbound'
        ? { ...addressOf(x.peer.localAddress, x.peer.localPort), port: BigInt(x.port) }
        : { port: BigInt(x.port) };
    },
    get upstream() {
      return upstreamOf(x);
    },
    get xds() {
      return xdsOf(x);
    },
    get metadata() {
      return { filter_metadata: Object.fromEntries(x.metadata ?? []) };
    },
    get filter_state() {
      return filterStateOf(x);
    },
  };
}

function requestOf({ request, protocol, startedAt, metadata: _metadata }: Exchange, outcome: Outcome): Attributes {
  const question = request.path.indexOf('?');
  return given({
    path: request.path,
    url_path: question === -1 ? request.path : request.path.slice(0, question),
    query: question === -1 ? '' : request.path.slice(question + 1),
    host: request.authority,
    scheme: request.scheme,
    method: request.method,
    headers: headersOf(request, {
      ':path': request.path,
      ':method': request.method,
      ':authority': request.authority,
      ':scheme': request.scheme,
    }),
    referer: request.header('referer'),
    useragent: request.header('user-agent'),
    id: request.header('x-request-id'),
    protocol: protocol === 'tcp' ? undefined : protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2',
    duration: toDuration({ text: `${Math.max(0, outcome.endedAt - startedAt)}ms` }),
    size: BigInt(outcome.requestBytes),
    total_size: BigInt(outcome.requestBytes),
  });
}

function responseOf(x: Exchange, outcome: Outcome): Attributes {
  return given({
    code: outcome.status === 0 ? undefined : BigInt(outcome.status),
    code_details: x.details !== '' ? x.details : x.protocol === 'tcp' ? undefined : 'via_upstream',
    flags: BigInt(x.flags),
    grpc_status: outcome.grpcStatus === undefined ? undefined : BigInt(outcome.grpcStatus),
    headers: x.response === undefined ? undefined : headersOf(x.response, { ':status': String(outcome.status) }),
    size: BigInt(outcome.responseBytes),
    total_size: BigInt(outcome.responseBytes),
  });
}

function connectionOf({ peer }: Exchange): Attributes {
  return given({
    mtls: peer.mtls,
    requested_server_name: peer.sni === '' ? undefined : peer.sni,
    uri_san_peer_certificate: peer.uriSans[0],
    dns_san_peer_certificate: peer.dnsSans[0],
    subject_peer_certificate: peer.subject === '' ? undefined : peer.subject,
    sha256_peer_certificate_digest: peer.certificateHash === '' ? undefined : peer.certificateHash,
    uri_san_local_certificate: peer.shownUriSan,
  });
}

function upstreamOf(x: Exchange): Attributes {
  const { endpoint } = x;
  return given({
    address: endpoint?.key,
    port: endpoint === undefined || endpoint.port === 0 ? undefined : BigInt(endpoint.port),
    local_address: x.upstreamLocalAddress === '' ? undefined : x.upstreamLocalAddress,
    transport_failure_reason: x.transportFailure === '' ? undefined : x.transportFailure,
    request_attempt_count: BigInt(x.attempt),
  });
}

function xdsOf(x: Exchange): Attributes {
  const action = x.route?.action;
  return given({
    route_name: x.route?.name,
    virtual_host_name: x.virtualHost?.name,
    cluster_name: x.direction === 'outbound' ? x.cluster?.name : action?.kind === 'inbound' ? action.clusterName : undefined,
    listener_direction: x.direction === 'inbound' ? 1n : 2n,
  });
}

/** The peer as Istio's proxy writes it down: known here is where a call went. */
function filterStateOf({ endpoint }: Exchange): Attributes {
  const workload = endpoint?.workload;
  if (workload === undefined) return {};
  const { canonicalService: service, canonicalRevision: revision, ...rest } = workload;
  return { upstream_peer: { ...rest, service, revision, app: service, version: revision } };
}

function addressOf(address: string, port: number): Attributes {
  if (address === '') return {};
  return { address: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`, port: BigInt(port) };
}

function given(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

/** A head as a map; only what an expression asks for is read. */
function headersOf(head: Head, pseudo: Readonly<Record<string, string>>): object {
  const read = (name: string | symbol): string | undefined =>
    typeof name === 'symbol' ? undefined : Object.hasOwn(pseudo, name) ? pseudo[name] : head.header(name.toLowerCase());
  return new Proxy(
    {},
    {
      get: (_target, name) => (name === 'constructor' ? Object : read(name)),
      has: (_target, name) => read(name) !== undefined,
      getOwnPropertyDescriptor: (_target, name) => {
        const value = read(name);
        return value === undefined ? undefined : { configurable: true, enumerable: true, value };
      },
    },
  );
}
