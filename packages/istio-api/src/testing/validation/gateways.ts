import { entry, gateway, group, of, sidecar, traffic, type ValidationCase } from './validation-case.ts';

const SERVER = 'port: { number: 80, name: http, protocol: HTTP }';

export const GATEWAYS: readonly ValidationCase[] = [
  gateway(
    'a port without a name',
    'servers: [{ hosts: ["*"], port: { number: 80, protocol: HTTP } }]',
    '.servers[0].port.name',
    'give the port a name, such as http',
  ),
  gateway('no servers', 'selector: { a: b }', '.servers', 'give at least one server'),
  gateway('no hosts', `servers: [{ ${SERVER}, hosts: [] }]`, '.servers[0].hosts', 'give at least one host'),
  gateway('a short host', `servers: [{ ${SERVER}, hosts: [shop] }]`, '.servers[0].hosts[0]', 'a host is a whole name'),
  gateway('a half wildcard', `servers: [{ ${SERVER}, hosts: ["*-a.b.c"] }]`, '.servers[0].hosts[0]', 'begins with "*."'),
  gateway('an address', `servers: [{ ${SERVER}, hosts: [1.2.3.4] }]`),
  gateway('a namespace that is none', `servers: [{ ${SERVER}, hosts: [a_b/*] }]`, '.servers[0].hosts[0]', 'is no namespace'),
  gateway(
    'a port name twice',
    `servers: [{ ${SERVER}, hosts: ["*"] }, { port: { number: 81, name: http, protocol: HTTP }, hosts: ["*"] }]`,
    '.servers[1].port.name',
    'two ports are called',
  ),
  gateway(
    'a protocol that is none',
    'servers: [{ port: { number: 80, name: a, protocol: QUIC }, hosts: ["*"] }]',
    '.servers[0].port.protocol',
    'is no protocol',
  ),
  {
    ...gateway('a name that is none', `servers: [{ ${SERVER}, hosts: ["*"] }]`),
    name: 'a.b',
    refused: ['metadata.name', 'is no name of a Gateway'],
  },
  gateway('an address to listen at', `servers: [{ ${SERVER}, hosts: ["*"], bind: 10.0.0.1 }]`),
  gateway('a name to listen at', `servers: [{ ${SERVER}, hosts: ["*"], bind: a.b }]`, '.servers[0].bind', 'is no IP address'),
  gateway('a socket to listen at', 'servers: [{ port: { number: 0, name: http, protocol: HTTP }, hosts: ["*"], bind: "unix:///run/a" }]'),
  gateway(
    'a socket with a port',
    `servers: [{ ${SERVER}, hosts: ["*"], bind: "unix:///run/a" }]`,
    '.servers[0].port.number',
    'a Unix socket has no port',
  ),
  gateway(
    'a socket that is a folder',
    'servers: [{ port: { number: 0, name: http, protocol: HTTP }, hosts: ["*"], bind: "unix:///run/" }]',
    '.servers[0].bind',
    'the path of a socket',
  ),
  gateway(
    'a port that is none',
    'servers: [{ port: { number: 0, name: http, protocol: HTTP }, hosts: ["*"] }]',
    '.servers[0].port.number',
    'a port is 1 to 65535',
  ),
  sidecar('a short host', 'egress: [{ hosts: [reviews] }]', '.egress[0].hosts[0]', 'write namespace/host'),
  sidecar('every host of a namespace', 'egress: [{ hosts: ["./*", "~istio-system/*"] }]'),
  sidecar('an empty connection pool', 'inboundConnectionPool: {}', '.inboundConnectionPool', 'it limits nothing'),
  sidecar('a protocol that is none', 'ingress: [{ port: { number: 80, protocol: QUIC } }]', '.ingress[0].port.protocol', 'is no protocol'),
  sidecar(
    'a proxy with a short port',
    'outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: a_b, port: { number: 80 } } }',
    '.outboundTrafficPolicy.egressProxy.host',
    'is no host',
  ),
  gateway(
    'a Secret and lists of files',
    'servers: [{ hosts: ["*"], port: { number: 443, protocol: HTTPS, name: a }, tls: { mode: SIMPLE, credentialName: c, serverCertificate: /c, privateKey: /k } }]',
    '.servers[0].tls',
    'give credentialName or files',
  ),
  sidecar(
    'an egress port without a number',
    'egress: [{ port: { protocol: HTTP }, hosts: ["*/*"] }]',
    '.egress[0].port.number',
    'needs its number',
  ),
  sidecar(
    'an egress socket with a port',
    'egress: [{ port: { number: 80, protocol: HTTP }, bind: "unix:///a", hosts: ["*/*"] }]',
    '.egress[0].bind',
    'is no IP address',
  ),
  sidecar('an egress socket', 'egress: [{ port: { protocol: HTTP }, bind: "unix:///a", hosts: ["*/*"] }]'),
  sidecar(
    'an ingress that is bound to a name',
    'ingress: [{ port: { number: 80, protocol: HTTP, name: h }, bind: a }]',
    '.ingress[0].bind',
    'is no IP address',
  ),
  sidecar('a socket of port 0', 'egress: [{ port: { number: 0, protocol: HTTP }, bind: "unix:///a", hosts: ["*/*"] }]'),
  sidecar(
    'port 0 of an address',
    'egress: [{ port: { number: 0, protocol: HTTP }, hosts: ["*/*"] }]',
    '.egress[0].port.number',
    'needs its number',
  ),
  sidecar(
    'a port above all',
    'egress: [{ port: { number: 65536, protocol: HTTP }, hosts: ["*/*"] }]',
    '.egress[0].port.number',
    'at most 65535',
  ),
  sidecar(
    'a socket that traffic is led to',
    'egress: [{ port: { protocol: HTTP }, bind: "unix:///a", captureMode: IPTABLES, hosts: ["*/*"] }]',
    '.egress[0].captureMode',
    'by iptables',
  ),
  tls('half a pair beside others', 'mode: SIMPLE, privateKey: /x, tlsCertificates: [{ serverCertificate: /c, privateKey: /k }]'),
  traffic('a warm-up in parts of milliseconds', 'loadBalancer: { simple: ROUND_ROBIN, warmupDurationSecs: 1.0005s }'),
  group('a command of nothing', 'template: {}, probe: { exec: { command: [] } }', '.probe.exec.command', 'give the command'),
  group(
    'a header without a name',
    'template: {}, probe: { httpGet: { port: 80, httpHeaders: [{ value: a }] } }',
    '.probe.httpGet.httpHeaders[0].name',
    'a header needs its name',
  ),
  entry(
    'an endpoint of DNS without an address',
    'hosts: [a.b], ports: [{ number: 80, name: http }], resolution: DNS, endpoints: [{ address: "" }]',
    '.endpoints[0].address',
    'give the address',
  ),
  traffic('no limit of idle connections', 'connectionPool: { tcp: { idleTimeout: 0s } }'),
  traffic(
    'more connections than a number holds',
    'connectionPool: { tcp: { maxConnections: 2147483648 } }',
    '.connectionPool.tcp.maxConnections',
    'out of range',
  ),
  of('Telemetry')('a filter of nothing', 'accessLogging: [{ filter: {} }]', '.accessLogging[0].filter', 'it filters by nothing'),
  tls('a bundle without a name', 'mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: ""', 'needs caCertificates'),
  tls(
    'a bundle of a Secret beside files',
    'mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertCredentialName: x',
    'needs caCertificates',
  ),
  tls('a certificate without a name', 'mode: SIMPLE, credentialName: ""', 'needs credentialName'),
  tls(
    'files without names beside others',
    'mode: SIMPLE, serverCertificate: "", tlsCertificates: [{ serverCertificate: /c, privateKey: /k }]',
  ),
  tls('nothing but names that say nothing', 'mode: ISTIO_MUTUAL, credentialName: "", serverCertificate: "", caCertificates: ""'),
  extension('a route that is extended', 'targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: a }]', '.targetRefs[0]'),
  extension('a kind without its group', 'targetRefs: [{ kind: Gateway, name: a }]', '.targetRefs[0]'),
  extension('a Service that is extended', 'targetRefs: [{ group: core, kind: Service, name: a }]'),
];

/** A server of HTTPS. */
function tls(what: string, fields: string, text?: string): ValidationCase {
  return gateway(
    what,
    `servers: [{ port: { number: 443, name: a, protocol: HTTPS }, hosts: ["*"], tls: { ${fields} } }]`,
    text === undefined ? undefined : '.servers[0].tls',
    text,
  );
}

function extension(what: string, fields: string, path?: string): ValidationCase {
  return of('TrafficExtension')(what, `wasm: { url: "https://a/b" }, ${fields}`, path, 'cannot be extended');
}
