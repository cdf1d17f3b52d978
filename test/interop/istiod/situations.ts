import type { Document } from './mesh/document.ts';
import { NETWORK_LABEL, ROOT } from './mesh/world.ts';
import { covers, hostOf, of, portOf, type Seen, whole } from './seen.ts';

/* What a mesh must hold for a difference to be one of those that are known: the very objects, not others of their kind. */

interface Server {
  readonly port: { readonly number: number; readonly protocol: string };
  readonly bind?: string;
  readonly tls?: {
    readonly mode?: string;
    readonly subjectAltNames?: readonly string[];
    readonly serverCertificate?: string;
    readonly tlsCertificates?: readonly object[];
    readonly verifyCertificateSpki?: readonly string[];
    readonly verifyCertificateHash?: readonly string[];
  };
}

/** Numbers on a gateway that lead to a server's: its own, and the target ports of the gateway's Service. */
function targets(seen: Seen, number: number): number[] {
  const mapped = of(seen, 'Service').flatMap(({ spec }) => {
    const { selector, ports = [] } = spec as {
      selector?: Record<string, string>;
      ports?: { port: number; targetPort?: number | string }[];
    };
    if (selector?.istio !== 'ingressgateway') return [];
    return ports.filter(({ port }) => port === number).map(({ targetPort }) => Number(targetPort ?? number));
  });
  return [number, ...mapped];
}

function serversAt(seen: Seen, port: number): Server[] {
  const servers = of(seen, 'Gateway').flatMap(({ spec }) => {
    // Listeners of the Gateway API are servers without a bind.
    const { servers: own = [], listeners = [] } = spec as { servers?: Server[]; listeners?: { port: number; protocol: string }[] };
    return [...own, ...listeners.map(({ port: number, protocol }) => ({ port: { number, protocol } }))];
  });
  return servers.filter((server) => targets(seen, server.port.number).includes(port));
}

const PLAIN: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB']);

/**
 * Plaintext servers of one address and number whose protocols are written in two ways, with one of another address at that number: istiod
 * makes two of them (MergeGateways: a server of another `bind` in between, then addPlainTextServer).
 */
function isTwoServers(seen: Seen, bind: string): boolean {
  // One of HTTP that only redirects to TLS is a plaintext server.
  const isHttp = ({ port }: Server): boolean => PLAIN.has(port.protocol.toUpperCase());
  const all = serversAt(seen, portOf(seen)).filter((server) => server.tls === undefined || isHttp(server));
  const here = all.filter((server) => (server.bind ?? '') === bind && isHttp(server));
  return new Set(here.map(({ port }) => port.protocol)).size > 1 && all.some((server) => (server.bind ?? '') !== bind);
}

/** Of a listener: `0.0.0.0_8080`. */
export function hasTwoServersAt(seen: Seen): boolean {
  const address = seen.resource.slice(0, seen.resource.lastIndexOf('_'));
  if (isTwoServers(seen, address)) return true;
  return WILDCARDS.has(address) && (isTwoServers(seen, '') || isWrittenTwice(seen, address));
}

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** The routes of the second of two such servers are those of the first here. */
export function hasWildcardTwice(seen: Seen): boolean {
  return [...WILDCARDS].some((wildcard) => isWrittenTwice(seen, wildcard));
}

/** A proxy's own wildcard, as the `bind` of one plaintext server and the default of another. */
function isWrittenTwice(seen: Seen, wildcard: string): boolean {
  const plain = serversAt(seen, portOf(seen)).filter(({ port }) => PLAIN.has(port.protocol.toUpperCase()));
  return plain.some(({ bind = '' }) => bind === wildcard) && plain.some(({ bind = '' }) => bind === '');
}

/** Of routes: `http.8080`, `http.8080.10.9.9.1`. */
export function hasTwoServersOf(seen: Seen): boolean {
  return isTwoServers(seen, /^http\.\d+\.(.*)$/.exec(seen.resource)?.[1] ?? '');
}

/** A server of mode SIMPLE there names callers. */
export function namesCallersInVain(seen: Seen): boolean {
  return serversAt(seen, portOf(seen)).some(({ tls }) => tls?.mode === 'SIMPLE' && (tls.subjectAltNames ?? []).length > 0);
}

/** A Gateway of the Gateway API takes callers without a certificate that it can verify. */
export function fallsBack(seen: Seen): boolean {
  return of(seen, 'Gateway').some(({ spec }) => {
    const { frontend } = (spec as { tls?: { frontend?: { default?: Frontend; perPort?: { tls: Frontend }[] } } }).tls ?? {};
    const all = [frontend?.default, ...(frontend?.perPort ?? []).map(({ tls }) => tls)];
    return all.some((tls) => tls?.validation?.mode === 'AllowInsecureFallback');
  });
}

interface Frontend {
  readonly validation?: { readonly mode?: string };
}

/** A listener of the Gateway API there names two certificates. */
export function hasTwoCertificates(seen: Seen): boolean {
  return of(seen, 'Gateway').some(({ spec }) => {
    const { listeners = [] } = spec as { listeners?: { port: number; tls?: { certificateRefs?: object[] } }[] };
    const here = listeners.filter(({ port }) => targets(seen, port).includes(portOf(seen)));
    return here.some(({ tls }) => (tls?.certificateRefs ?? []).length > 1);
  });
}

/** A server there has its certificate in files and pins its callers. */
export function pinsBesideFiles(seen: Seen): boolean {
  return serversAt(seen, portOf(seen)).some(({ tls }) => {
    const files = tls?.serverCertificate !== undefined || tls?.tlsCertificates !== undefined;
    return files && (tls?.verifyCertificateSpki ?? tls?.verifyCertificateHash) !== undefined;
  });
}

/** A policy that the node has: of its namespace or the root one, and for its labels. */
function governs({ metadata, spec }: Document, { namespace, labels }: Seen): boolean {
  if (metadata.namespace !== namespace && metadata.namespace !== ROOT) return false;
  const { selector, workloadSelector } = spec as {
    selector?: { matchLabels?: Record<string, string> };
    workloadSelector?: { labels?: Record<string, string> };
  };
  const wanted = selector?.matchLabels ?? workloadSelector?.labels ?? {};
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function governing(seen: Seen, kind: string): Document[] {
  return of(seen, kind).filter((document) => governs(document, seen));
}

interface Extension {
  readonly phase?: string;
  readonly type?: string;
  readonly wasm?: { readonly type?: string };
}

/** Plugins, and what is written as extensions, of the workload; those of a `targetRefs` count where they may be its own. */
function extensions(seen: Seen): Extension[] {
  return ['WasmPlugin', 'TrafficExtension'].flatMap((kind) => governing(seen, kind).map(({ spec }) => spec as Extension));
}

/** A plugin of connections, and several servers of TLS at the port. */
export function hasPluginOfConnections(seen: Seen): boolean {
  const secure = serversAt(seen, portOf(seen)).filter(({ tls, port }) => tls !== undefined || ['HTTPS', 'TLS'].includes(port.protocol));
  return secure.length > 1 && extensions(seen).some(({ type, wasm }) => (type ?? wasm?.type) === 'NETWORK');
}

/** What a gRPC server cannot judge, or judges otherwise than istiod's gRPC generator has it (docs/reference/differences.md, "gRPC nodes"). */
export function hasUnjudgeable(seen: Seen): boolean {
  if (governing(seen, 'RequestAuthentication').length > 0 || governing(seen, 'EnvoyFilter').length > 0) return true;
  if (extensions(seen).some((spec) => spec.phase === 'AUTHN' || spec.phase === 'AUTHZ')) return true;
  return governing(seen, 'AuthorizationPolicy').some(({ spec, metadata }) => {
    const { action = 'ALLOW', rules = [] } = spec as { action?: string; rules?: unknown[] };
    if (action === 'CUSTOM' || metadata.annotations?.['istio.io/dry-run'] === 'true') return true;
    if (action === 'ALLOW' && rules.length === 0) return true;
    const text = JSON.stringify(rules);
    if (/connection\.sni|request\.headers\[grpc-|request\.auth|requestPrincipals|RequestPrincipals|\{\*/.test(text)) return true;
    return seen.mesh.config.trustDomainAliases !== undefined && /principal/i.test(text);
  });
}

/** The DestinationRules that may be the host's. */
function rulesFor(seen: Seen): Document[] {
  const host = hostOf(seen);
  return of(seen, 'DestinationRule').filter(({ metadata, spec }) =>
    covers(whole((spec as { host: string }).host, metadata.namespace ?? ''), host),
  );
}

/** Some rule of the host, or a policy for its Service, has the client originate TLS. */
export function originatesTls(seen: Seen): boolean {
  const [name = '', namespace = ''] = hostOf(seen).split('.');
  const policies = of(seen, 'BackendTLSPolicy').filter(({ metadata, spec }) => {
    const { targetRefs = [] } = spec as { targetRefs?: { name: string }[] };
    return metadata.namespace === namespace && targetRefs.some((target) => target.name === name);
  });
  return policies.length > 0 || rulesFor(seen).some(({ spec }) => /"mode":"(SIMPLE|MUTUAL)"/.test(JSON.stringify(spec)));
}

/** Some rule of the host names the server, or the trust domain has other names. */
export function namesServer(seen: Seen): boolean {
  if (seen.mesh.config.trustDomainAliases !== undefined) return true;
  return rulesFor(seen).some(({ spec }) => JSON.stringify(spec).includes('"subjectAltNames"'));
}

/** A policy of the workload, and a host that is looked up at that port. */
export function authorizesOutbound(seen: Seen): boolean {
  const port = portOf(seen);
  const entries = of(seen, 'ServiceEntry').filter(({ spec }) => {
    const { resolution, ports = [] } = spec as { resolution?: string; ports?: { number: number }[] };
    return resolution === 'DYNAMIC_DNS' && ports.some(({ number }) => number === port);
  });
  return entries.length > 0 && governing(seen, 'AuthorizationPolicy').length > 0;
}

/** A condition on the caller's name, in a rule of several sources. */
export function repeatsPrincipal(seen: Seen): boolean {
  return governing(seen, 'AuthorizationPolicy').some(({ spec }) =>
    ((spec as { rules?: { from?: unknown[]; when?: { key: string }[] }[] }).rules ?? []).some(
      ({ from = [], when = [] }) => from.length > 1 && when.some(({ key }) => key === 'source.principal'),
    ),
  );
}

/** Networks have gateways, whose number weights are multiplied by, and the cluster's host is looked up. */
export function isLookedUpAmongNetworks(seen: Seen): boolean {
  return hasNetworks(seen) && entriesOf(seen).some(({ spec }) => String((spec as { resolution?: string }).resolution).startsWith('DNS'));
}

/** Networks have gateways, and some endpoint of the host is a Unix socket. */
export function hasSocketAmongNetworks(seen: Seen): boolean {
  return hasNetworks(seen) && entriesOf(seen).some(({ spec }) => JSON.stringify(spec).includes('"unix://'));
}

function hasNetworks({ mesh }: Seen): boolean {
  return mesh.documents.some(
    ({ kind, metadata }) => (kind === 'Service' || kind === 'Gateway') && metadata.labels?.[NETWORK_LABEL] !== undefined,
  );
}

/** A rule of a gateway asks for a claim, whatever it says. */
export function asksForAnyClaim(seen: Seen): boolean {
  return of(seen, 'VirtualService').some(({ spec }) => /"@request\.auth\.claims[^"]*":(?:\{\}|null)/.test(JSON.stringify(spec)));
}

function entriesOf(seen: Seen): Document[] {
  return of(seen, 'ServiceEntry').filter(({ spec }) => (spec as { hosts: string[] }).hosts.includes(hostOf(seen)));
}

/** The endpoint that is too much for us is a gateway between networks, which stands in several places. */
export function repeatsNetworkGateway(seen: Seen): boolean {
  const address = /^"([^"]+)"$/.exec(seen.wanted)?.[1] ?? /"address":"([^"]+)"/.exec(seen.wanted)?.[1];
  if (address === undefined) return false;
  return seen.mesh.documents.some(
    (document) => document.metadata.labels?.[NETWORK_LABEL] !== undefined && JSON.stringify(document).includes(`"${address}"`),
  );
}

/** Several hosts have the address that one side gives another one. */
export function isSharedAddress(seen: Seen): boolean {
  return [seen.wanted, seen.got].some((text) => {
    const address = /^"\[?([\d.]+(?:\/\d+)?|[0-9a-f:]+)\]?"$/.exec(text)?.[1];
    const owners = of(seen, 'ServiceEntry').filter(({ spec }) =>
      ((spec as { addresses?: string[] }).addresses ?? []).some((own) => own === address),
    );
    return owners.flatMap(({ spec }) => (spec as { hosts: string[] }).hosts).length > 1;
  });
}

interface Egress {
  readonly port?: { readonly number?: number; readonly protocol?: string };
  readonly bind?: string;
}

function egressOf(seen: Seen): Egress[] {
  return of(seen, 'Sidecar').flatMap(({ spec }) => (spec as { egress?: Egress[] }).egress ?? []);
}

/** A Sidecar's egress listener whose routes have this name takes hosts and ports from its callers. */
function isProxy(seen: Seen): boolean {
  return egressOf(seen).some(({ port, bind = '' }) => {
    const name = port?.number !== undefined ? (port.protocol === 'HTTP_PROXY' ? String(port.number) : '') : bind;
    return port !== undefined && name === seen.resource;
  });
}

/** A Sidecar's egress listener at this socket carries bytes. */
export function isSocketOfBytes(seen: Seen): boolean {
  return egressOf(seen).some(({ port, bind = '' }) => port?.protocol === 'TCP' && seen.resource === `${bind}_0`);
}

/** VirtualServices have a say in it. */
export function isProxyWithRules(seen: Seen): boolean {
  return isProxy(seen) && of(seen, 'VirtualService').length > 0;
}

/** Policies of the node name ports of their own: two of them, so that there is an order. */
export function namesPortsByPolicy(seen: Seen): boolean {
  const ports = governing(seen, 'PeerAuthentication').flatMap(({ spec }) =>
    Object.keys((spec as { portLevelMtls?: object }).portLevelMtls ?? {}),
  );
  return new Set(ports).size > 1;
}

/** Several ports of the namespace's services lead to one of the node's. */
export function sharesInboundPort(seen: Seen): boolean {
  const own = [...of(seen, 'Service'), ...of(seen, 'ServiceEntry')].filter(({ metadata }) => metadata.namespace === seen.namespace);
  const targets = own.flatMap(({ spec }) =>
    ((spec as { ports?: { port?: number; number?: number; targetPort?: number | string }[] }).ports ?? []).map(
      ({ port, number, targetPort }) => targetPort ?? port ?? number,
    ),
  );
  return new Set(targets).size < targets.length;
}

/** The host is a Service's that nobody is to see: by its annotation, or as the mesh says of those without. */
export function isExportedToNobody(seen: Seen): boolean {
  const host = hostOf(seen);
  const byDefault = (seen.mesh.config.defaultServiceExportTo as readonly string[] | undefined)?.includes('~') === true;
  return of(seen, 'Service').some(({ metadata: { name, namespace, annotations } }) => {
    if (host !== `${name}.${namespace}.svc.cluster.local`) return false;
    const told = annotations?.['networking.istio.io/exportTo'];
    return told === undefined ? byDefault : told.split(',').includes('~');
  });
}
