import { isIP } from 'node:net';
import type { Exchange, Peer, RequestHead } from './exchange.ts';
import { createRequestId } from './request-id.ts';
import type { HttpConnectionManager } from './route/route.ts';
import { isSocketPath } from './socket-path.ts';

/** Headers that only internal callers may use; nobody is internal unless configured (Envoy 1.36+), so they are removed. */
export const INTERNAL_ONLY_HEADERS: readonly string[] = [
  'x-envoy-internal',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-original-url',
];

const INTERNAL_ONLY: ReadonlySet<string> = new Set(INTERNAL_ONLY_HEADERS);

/** Headers (lower case) that a sidecar takes away from what its own app sends: nobody is internal, and no app has seen a certificate. */
export function endsAtFirstProxy(name: string): boolean {
  return name.startsWith('x-') && (INTERNAL_ONLY.has(name) || name === 'x-forwarded-client-cert');
}

/** Whether a name (lower case) is one that programs which take `_` for `-` read as a header of the mesh. */
export function readsAsMeshHeader(name: string): boolean {
  return name.includes('_') && MESH_HEADER.test(name.replaceAll('_', '-'));
}

const MESH_HEADER = /^x-(?:envoy-|forwarded-|istio-)/;

const EXTERNAL_ONLY_EDGE: ReadonlySet<string> = new Set([
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-original-path',
  'x-envoy-original-host',
]);

/** What only a proxy of the mesh has to say. Envoy believes everybody; here a caller without mesh identity is not (differences.md). */
const MESH_ONLY: ReadonlySet<string> = new Set([
  'x-envoy-original-path',
  'x-envoy-original-host',
  'x-envoy-decorator-operation',
  'x-envoy-attempt-count',
  'x-envoy-fault-abort-request',
  'x-envoy-fault-abort-grpc-request',
  'x-envoy-fault-abort-request-percentage',
  'x-envoy-fault-delay-request',
  'x-envoy-fault-delay-request-percentage',
  'x-envoy-fault-throughput-response',
  'x-envoy-fault-throughput-response-percentage',
  'x-envoy-auth-failure-mode-allowed',
  'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id',
  'x-istio-attributes',
  'x-ripstop-explain',
]);

/**
 * What Envoy does to a request's headers when it enters a listener (inbound and gateway): x-forwarded-for and -proto, x-request-id,
 * x-envoy-* of strangers, x-forwarded-client-cert from the peer's certificate.
 */
export function applyForwardedHeaders(x: Exchange, ownSpiffeId: string): void {
  const { request, manager, peer } = x;
  removeAll(request, INTERNAL_ONLY);
  if (!peer.mtls || peer.uriSans.length === 0) removeAll(request, MESH_ONLY);
  if (manager.useRemoteAddress) removeAll(request, EXTERNAL_ONLY_EDGE);
  if (manager.useRemoteAddress) {
    const before = forwardedFor(request);
    // What the outermost of so many trusted proxies wrote.
    const trusted = manager.xffTrustedHops === 0 ? undefined : forwardedAddress(request, manager.xffTrustedHops - 1);
    const client = trusted ?? peer.address;
    // Who calls over a Unix socket has no address (Envoy: appendXff).
    if (!isSocketPath(peer.address))
      request.setHeader('x-forwarded-for', before === undefined || before === '' ? peer.address : `${before},${peer.address}`);
    if (manager.xffTrustedHops === 0) request.setHeader('x-forwarded-proto', request.connectionScheme ?? request.scheme);
    if (!isSocketPath(client)) request.setHeader('x-envoy-external-address', client);
  }
  if (request.header('x-forwarded-proto') === undefined) request.setHeader('x-forwarded-proto', request.connectionScheme ?? request.scheme);
  // An external caller at the edge gets a fresh id; elsewhere any non-empty value is kept.
  if (manager.generatesRequestId !== false && (manager.useRemoteAddress || !request.header('x-request-id')))
    request.setHeader('x-request-id', createRequestId());
  applyClientCertificate(x, ownSpiffeId);
}

/** x-forwarded-for in one line, as Envoy joins several: empty ones leave nothing behind. */
function forwardedFor(request: RequestHead): string | undefined {
  const text = request.header('x-forwarded-for');
  if (text === undefined || !text.includes(',')) return text;
  const lines = request.headerLines('x-forwarded-for');
  return lines.length < 2 ? text : lines.filter((line) => line !== '').join(',');
}

/** The address that stands `at` places before the last one in x-forwarded-for; undefined = none does. */
export function forwardedAddress(request: RequestHead, at: number): string | undefined {
  const entry = forwardedFor(request)
    ?.split(',')
    .at(-1 - at)
    ?.replace(SPACES_AROUND, '');
  return entry === undefined || isIP(entry) === 0 ? undefined : entry;
}

/** Of ASCII, as in Envoy: what else looks like a space is no part of an address. */
const SPACES_AROUND = /^[\t\v\f ]+|[\t\v\f ]+$/g;

/** All of `names` are mesh headers. */
function removeAll(request: RequestHead, names: ReadonlySet<string>): void {
  const present = request.meshHeaders;
  if (present === undefined) {
    for (const name of names) if (request.header(name) !== undefined) request.removeHeader(name);
    return;
  }
  for (let at = 0; at < present.length; at++) if (names.has(present[at]!)) request.removeHeader(present[at]!);
}

function applyClientCertificate(x: Exchange, ownSpiffeId: string): void {
  const { request, manager, peer } = x;
  const mode = manager.forwardClientCert;
  if (mode === 'ALWAYS_FORWARD_ONLY') return;
  const before = request.header('x-forwarded-client-cert');
  // Without TLS the header says nothing that could be trusted: it goes, in every other mode.
  if (!peer.mtls || mode === 'SANITIZE') {
    if (before !== undefined) request.removeHeader('x-forwarded-client-cert');
    return;
  }
  if (mode === 'FORWARD_ONLY') return;
  const element = clientCertElement(x, peer, ownSpiffeId);
  request.setHeader('x-forwarded-client-cert', mode === 'APPEND_FORWARD' && before ? `${before},${element}` : element);
}

/** What was said of a peer last: the same for every request of its connection until the configuration changes. */
const elements = new WeakMap<Peer, { readonly details: CertDetails; readonly ownSpiffeId: string; readonly text: string }>();

function clientCertElement(x: Exchange, peer: Peer, ownSpiffeId: string): string {
  const { clientCertDetails: details } = x.manager;
  const known = elements.get(peer);
  if (known !== undefined && known.details === details && known.ownSpiffeId === ownSpiffeId) return known.text;
  const text = describePeer(peer, details, ownSpiffeId);
  elements.set(peer, { details, ownSpiffeId, text });
  return text;
}

type CertDetails = HttpConnectionManager['clientCertDetails'];

function describePeer(peer: Peer, clientCertDetails: CertDetails, ownSpiffeId: string): string {
  const by = peer.shownUriSan ?? ownSpiffeId;
  const parts = [...(by === '' ? [] : [`By=${by}`]), `Hash=${peer.certificateHash}`];
  if (clientCertDetails.cert && peer.certificatePem !== undefined) parts.push(`Cert="${encodeURIComponent(peer.certificatePem)}"`);
  const chain = clientCertDetails.chain ? peer.certificateChainPem?.() : undefined;
  if (chain !== undefined) parts.push(`Chain="${encodeURIComponent(chain)}"`);
  if (clientCertDetails.subject) parts.push(`Subject="${printable(peer.subject.replaceAll('"', '\\"'))}"`);
  if (clientCertDetails.uri) parts.push(...peer.uriSans.map((uri) => `URI=${alone(uri)}`));
  if (clientCertDetails.dns) parts.push(...peer.dnsSans.map((dns) => `DNS=${alone(dns)}`));
  return parts.join(';');
}

/** What no header can carry as UTF-8 escapes: a certificate may hold anything. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, encodeURIComponent);
}

/** A name that could be read as several: a comma begins another element, a semicolon another name of this one. */
function alone(name: string): string {
  return printable(name).replace(/[",;]/g, encodeURIComponent);
}
