import { entry, group, of, type ValidationCase } from './validation-case.ts';

const DYNAMIC = 'resolution: DYNAMIC_DNS';
const PORT = 'ports: [{ number: 80, name: http, protocol: HTTP }]';

export const ENTRIES: readonly ValidationCase[] = [
  entry(
    'a port of an endpoint that it does not have',
    `hosts: [a.b], ${PORT}, resolution: STATIC, endpoints: [{ address: 1.2.3.4, ports: { web: 8080 } }]`,
    '.endpoints[0].ports.web',
    'is not one of this ServiceEntry',
  ),
  entry('an endpoint by name', `hosts: [a.b], ${PORT}, resolution: DNS, endpoints: [{ address: c.d, ports: { http: 8080 } }]`),
  entry(
    'a static endpoint by name',
    `hosts: [a.b], ${PORT}, resolution: STATIC, endpoints: [{ address: c.d }]`,
    '.endpoints[0].address',
    'is no IP address',
  ),
  entry(
    'a protocol that is none',
    'hosts: [a.b], ports: [{ number: 80, name: x, protocol: QUIC }]',
    '.ports[0].protocol',
    'is no protocol',
  ),
  entry('a port name that is none', 'hosts: [a.b], ports: [{ number: 80, name: a_b }]', '.ports[0].name', 'is no name of a port'),
  entry('a Unix socket', `hosts: [a.b], ${PORT}, resolution: STATIC, endpoints: [{ address: "unix:///run/a" }]`),
  entry('an abstract Unix socket', `hosts: [a.b], ${PORT}, resolution: STATIC, endpoints: [{ address: "unix://@a" }]`),
  entry(
    'a Unix socket that is to be asked for',
    `hosts: [a.b], ${PORT}, resolution: DNS, endpoints: [{ address: "unix:///run/a" }]`,
    '.endpoints[0].address',
    'a Unix socket needs STATIC',
  ),
  entry(
    'a Unix socket for several ports',
    'hosts: [a.b], ports: [{ number: 80, name: http }, { number: 81, name: more }], resolution: STATIC, endpoints: [{ address: "unix:///run/a" }]',
    '.endpoints[0].address',
    'a Unix socket serves one port',
  ),
  entry('a wildcard to ask for', `hosts: ["*.b"], ${PORT}, resolution: DNS`, '.hosts[0]', 'cannot be asked for'),
  entry(
    'several hosts of bytes',
    'hosts: [a.b, c.d], ports: [{ number: 80, name: tcp, protocol: TCP }], resolution: STATIC, endpoints: [{ address: 1.2.3.4 }]',
    '.hosts',
    'cannot be told apart',
  ),
  entry('several hosts of bytes that go where they are sent', 'hosts: [a.b, c.d], ports: [{ number: 80, name: tcp, protocol: TCP }]'),
  entry('several hosts of TLS', 'hosts: [a.b, c.d], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS'),
  entry(
    'other protocols with DYNAMIC_DNS',
    `hosts: ["*.b"], ports: [{ number: 80, name: tcp, protocol: TCP }], ${DYNAMIC}`,
    '.ports[0].protocol',
    'a port is HTTP, TLS, GRPC, HTTP2',
  ),
  entry('no wildcard with DYNAMIC_DNS', `hosts: [a.b], ${PORT}, ${DYNAMIC}`, '.hosts[0]', 'a host is a wildcard'),
  entry('addresses with DYNAMIC_DNS', `hosts: ["*.b"], ${PORT}, ${DYNAMIC}, addresses: [1.2.3.4]`, '.addresses', 'there are no addresses'),
  entry('a wildcard with DYNAMIC_DNS', `hosts: ["*.b"], ${PORT}, ${DYNAMIC}`),
  entry('an address that is none', `hosts: [a.b], ${PORT}, addresses: [1.2.3]`, '.addresses[0]', 'is no IP address'),
  entry('nobody in exportTo', `hosts: [a.b], ${PORT}, exportTo: ["~"]`),
  entry('nobody and somebody in exportTo', `hosts: [a.b], ${PORT}, exportTo: ["~", x]`, '.exportTo', '"~" is nobody'),
  of('WorkloadEntry')('an address that is no host', 'address: a_b', '.address', 'is no IP address and no host name'),
  of('WorkloadEntry')('a port name that is none', 'address: a.b, ports: { "-a": 80 }', '.ports', ''),
  group('a probe without a method', 'template: {}, probe: { periodSeconds: 3 }', '.probe', 'a probe needs one of'),
  group('labels that are none', 'template: {}, metadata: { labels: { "a b": c } }', '.metadata.labels.a b', 'is no key of a label'),
];
