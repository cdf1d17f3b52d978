/** A document of Istio's, as istiod's validation judges it: `test/interop/istiod-validation.test.ts` asks istiod itself. */
export interface ValidationCase {
  readonly kind: string;
  /** What it is about, as the end of a sentence. */
  readonly what: string;
  /** In JSON or flow YAML. */
  readonly spec: string;
  readonly annotations?: string;
  readonly name?: string;
  /** Where the finding stands, and a part of its text; undefined: the document is right. */
  readonly refused?: readonly [path: string, text: string];
}

const ROUTE = 'route: [{ destination: { host: a } }]';

/** One HTTP route of a VirtualService. */
const http = (what: string, route: string, path?: string, text = ''): ValidationCase => ({
  kind: 'VirtualService',
  what,
  spec: `{ hosts: [reviews], http: [{ ${route} }] }`,
  ...(path === undefined ? {} : { refused: [`spec.http[0]${path}`, text] }),
});

const of =
  (kind: string) =>
  (what: string, spec: string, path?: string, text = ''): ValidationCase => ({
    kind,
    what,
    spec: `{ ${spec} }`,
    ...(path === undefined ? {} : { refused: [`spec${path}`, text] }),
  });

const virtualService = of('VirtualService');
const rule = of('DestinationRule');
const entry = of('ServiceEntry');
const policy = of('AuthorizationPolicy');
const gateway = of('Gateway');
const sidecar = of('Sidecar');
const group = of('WorkloadGroup');

/** A traffic policy of a DestinationRule. */
const traffic = (what: string, fields: string, path?: string, text = ''): ValidationCase =>
  rule(what, `host: a, trafficPolicy: { ${fields} }`, path === undefined ? undefined : `.trafficPolicy${path}`, text);

const VIRTUAL_SERVICES: readonly ValidationCase[] = [
  virtualService('a host twice', `hosts: [a.b, a.b], http: [{ ${ROUTE} }]`, '.hosts[1]', 'a.b stands here twice'),
  virtualService('a host below a wildcard', `hosts: ["*.b", a.b], http: [{ ${ROUTE} }]`, '.hosts[1]', 'a.b and *.b cover each other'),
  virtualService('wildcards apart', `hosts: ["*.b", "*.c"], http: [{ ${ROUTE} }]`),
  virtualService('every host in the mesh', `hosts: ["*"], http: [{ ${ROUTE} }]`, '.hosts[0]', '"*" is for gateways only'),
  virtualService('every host at a gateway', `hosts: ["*"], gateways: [gw], http: [{ ${ROUTE} }]`),
  virtualService('an address as host', `hosts: [10.1.2.3], http: [{ ${ROUTE} }]`),
  virtualService('a host with an underscore', `hosts: [a_b], http: [{ ${ROUTE} }]`, '.hosts[0]', 'its label "a_b"'),
  virtualService('a number as top domain', `hosts: [a.10], http: [{ ${ROUTE} }]`, '.hosts[0]', 'must not be a number'),
  virtualService('no routes', 'hosts: [a]', '', 'give at least one of http, tls, tcp'),
  virtualService('a delegate at a gateway', `gateways: [gw], http: [{ ${ROUTE} }]`, '.gateways', 'a delegate has no gateways'),
  virtualService('a delegate', `http: [{ ${ROUTE} }]`),
  virtualService('a delegate that delegates', 'http: [{ delegate: { name: x } }]', '.http[0].delegate', 'cannot delegate again'),
  virtualService('a gateway that is none', `hosts: [a], gateways: [ns/a_b], http: [{ ${ROUTE} }]`, '.gateways[0]', 'write namespace/name'),
  virtualService(
    'a namespace twice in exportTo',
    `hosts: [a], http: [{ ${ROUTE} }], exportTo: [x, x]`,
    '.exportTo[1]',
    'stands here twice',
  ),
  virtualService(
    'its namespace and "."',
    `hosts: [a], http: [{ ${ROUTE} }], exportTo: [default, .]`,
    '.exportTo[1]',
    'it is namespace default',
  ),
  virtualService('everybody and somebody', `hosts: [a], http: [{ ${ROUTE} }], exportTo: ["*", x]`, '.exportTo', '"*" is every namespace'),
  virtualService('nobody', `hosts: [a], http: [{ ${ROUTE} }], exportTo: ["~"]`, '.exportTo[0]', '"~" hides ServiceEntries only'),
  virtualService('a namespace that is none', `hosts: [a], http: [{ ${ROUTE} }], exportTo: [a_b]`, '.exportTo[0]', 'is no namespace'),
  virtualService(
    'TLS without names',
    'hosts: [a.b], tls: [{ match: [{ sniHosts: [] }], route: [{ destination: { host: a } }] }]',
    '.tls[0].match[0].sniHosts',
    'give at least one name',
  ),
  virtualService(
    'a TLS name of others',
    'hosts: [a.b], tls: [{ match: [{ sniHosts: [c.d] }], route: [{ destination: { host: a } }] }]',
    '.tls[0].match[0].sniHosts[0]',
    'is none of the hosts',
  ),
  virtualService(
    'a TLS name below a wildcard',
    'hosts: ["*.b"], tls: [{ match: [{ sniHosts: [a.b] }], route: [{ destination: { host: a } }] }]',
  ),
  virtualService(
    'TLS that matches nothing',
    'hosts: [a.b], tls: [{ match: [], route: [{ destination: { host: a } }] }]',
    '.tls[0].match',
    'give sniHosts',
  ),
  virtualService(
    'TCP without destinations',
    'hosts: [a.b], tcp: [{ match: [{ port: 80 }] }]',
    '.tcp[0].route',
    'give at least one destination',
  ),
  virtualService(
    'a TCP route by range',
    'hosts: [a.b], tcp: [{ match: [{ destinationSubnets: [10.0.0.0/8] }], route: [{ destination: { host: a } }] }]',
  ),
  virtualService(
    'a TCP range that is none',
    'hosts: [a.b], tcp: [{ match: [{ destinationSubnets: [10.0.0.0/40] }], route: [{ destination: { host: a } }] }]',
    '.tcp[0].match[0].destinationSubnets[0]',
    'is no address',
  ),
];

const ROUTES: readonly ValidationCase[] = [
  http('nothing to do', 'name: x', '', 'a route needs one of route'),
  http('an empty list of destinations', 'route: []', '.route', 'give at least one destination'),
  http('weights of 0', 'route: [{ destination: { host: a } }, { destination: { host: b } }]', '.route', 'weights add up to 0'),
  http('every host as destination', 'route: [{ destination: { host: "*" } }]', '.route[0].destination.host', 'name a service'),
  http(
    'a subset that is none',
    'route: [{ destination: { host: a, subset: v_1 } }]',
    '.route[0].destination.subset',
    'is no name of a subset',
  ),
  http('a port without number', 'route: [{ destination: { host: a, port: {} } }]', '.route[0].destination.port', 'a port needs its number'),
  http(
    'a fault of a redirect',
    'redirect: { uri: / }, fault: { abort: { httpStatus: 500 } }',
    '.fault',
    'fault has no effect beside redirect',
  ),
  http(
    'a rewrite of a response',
    'directResponse: { status: 200 }, rewrite: { uri: / }',
    '.rewrite',
    'rewrite has no effect beside directResponse',
  ),
  http('mirror and mirrors', `${ROUTE}, mirror: { host: b }, mirrors: [{ destination: { host: c } }]`, '.mirrors', 'not both'),
  http('a redirect that changes nothing', 'redirect: { redirectCode: 302 }', '.redirect', 'it leads to where the caller is'),
  http('a redirect to another port', 'redirect: { port: 8443 }'),
  http(
    'a redirect prefix for an exact path',
    'match: [{ uri: { exact: /a } }], redirect: { prefixRewrite: /b }',
    '.redirect.prefixRewrite',
    'there is no prefix to replace',
  ),
  http('a redirect prefix for every path', 'redirect: { prefixRewrite: /b }'),
  http('a redirect by two rules', 'redirect: { uri: /a, prefixRewrite: /b }', '.redirect.prefixRewrite', 'not both'),
  http('a redirect to another scheme', 'redirect: { scheme: ftp }', '.redirect.scheme', 'is not http or https'),
  http('a rewrite of nothing', `${ROUTE}, rewrite: {}`, '.rewrite', 'it rewrites nothing'),
  http('a rewrite by an expression', `${ROUTE}, rewrite: { uriRegexRewrite: { match: "^/a(.*)", rewrite: "/b\\\\1" } }`),
  http(
    'half a rewrite by an expression',
    `${ROUTE}, rewrite: { uriRegexRewrite: { match: a } }`,
    '.rewrite.uriRegexRewrite',
    'give match and rewrite',
  ),
  http('retries without attempts', `${ROUTE}, retries: { perTryTimeout: 2s }`, '.retries.attempts', 'is no retry'),
  http('no retries', `${ROUTE}, retries: { attempts: 0 }`),
  http('retries on a status', `${ROUTE}, retries: { attempts: 1, retryOn: "503,reset" }`),
  http(
    'retries on a status that is none',
    `${ROUTE}, retries: { attempts: 1, retryOn: "599" }`,
    '.retries.retryOn',
    '"599" is no condition',
  ),
  http(
    'retries on a condition behind a space',
    `${ROUTE}, retries: { attempts: 1, retryOn: "5xx, reset" }`,
    '.retries.retryOn',
    '" reset" is no condition',
  ),
  http('a fault that does nothing', `${ROUTE}, fault: {}`, '.fault', 'it injects nothing'),
  http(
    'a fault of too few calls',
    `${ROUTE}, fault: { abort: { httpStatus: 500, percentage: { value: 0.00001 } } }`,
    '.fault.abort.percentage.value',
    'is too small',
  ),
  http(
    'CORS for a method that is none',
    `${ROUTE}, corsPolicy: { allowMethods: [LIST] }`,
    '.corsPolicy.allowMethods[0]',
    'is no HTTP method',
  ),
  http('CORS for every method', `${ROUTE}, corsPolicy: { allowMethods: ["*"], allowHeaders: ["*"], maxAge: 24h }`),
  http('CORS for no origin', `${ROUTE}, corsPolicy: { allowOrigins: [{ exact: "" }] }`, '.corsPolicy.allowOrigins[0]', 'an origin needs'),
  http('CORS for half a second', `${ROUTE}, corsPolicy: { maxAge: 1500ms }`, '.corsPolicy.maxAge', 'whole seconds'),
  http(
    'CORS for a header that is none',
    `${ROUTE}, corsPolicy: { exposeHeaders: ["a b"] }`,
    '.corsPolicy.exposeHeaders[0]',
    'is no name of a header',
  ),
  http('a timeout below a millisecond', `${ROUTE}, timeout: 1.0005s`, '.timeout', 'whole milliseconds'),
  http('the host set by a header', `${ROUTE}, headers: { request: { set: { Host: b } } }`),
  http('the host set twice', `${ROUTE}, rewrite: { authority: a }, headers: { request: { set: { host: b } } }`, '.headers', 'set it once'),
  http(
    'the host removed',
    `${ROUTE}, headers: { request: { remove: [host] } }`,
    '.headers.request.remove[0]',
    'can only be set on a request',
  ),
  http(
    'the host of a response',
    `${ROUTE}, headers: { response: { set: { host: b } } }`,
    '.headers.response.set.host',
    'can only be set on a request',
  ),
  http(
    'the path set by a header',
    `${ROUTE}, headers: { request: { set: { ":path": b } } }`,
    '.headers.request.set.:path',
    'cannot be changed',
  ),
  http(
    'a header of a destination',
    'route: [{ destination: { host: a }, headers: { response: { add: { ":x": b } } } }]',
    '.route[0].headers.response.add.:x',
    'cannot be changed',
  ),
  http('operators in a header', `${ROUTE}, headers: { request: { set: { x: "100%% %REQ(a)% %DYNAMIC_METADATA([\\"a\\", \\"b\\"])%" } } }`),
  http(
    'a per cent sign in a header',
    `${ROUTE}, headers: { request: { set: { x: "100% sure" } } }`,
    '.headers.request.set.x',
    'write %% for a per cent sign',
  ),
  http(
    'an operator that does not end',
    `${ROUTE}, headers: { request: { set: { x: "%REQ(a%" } } }`,
    '.headers.request.set.x',
    'does not end',
  ),
  http(
    'a match by a header that is none',
    `match: [{ headers: { "a b": { exact: x } } }], ${ROUTE}`,
    '.match[0].headers.a b',
    'is no name of a header',
  ),
  http('a match by an expression that is none', `match: [{ uri: { regex: "*" } }], ${ROUTE}`, '.match[0].uri.regex', 'RE2'),
  http('a match by "*" in withoutHeaders', `match: [{ withoutHeaders: { x: { regex: "*" } } }], ${ROUTE}`),
  http('a match by "*" in headers', `match: [{ headers: { x: { regex: "*" } } }], ${ROUTE}`, '.match[0].headers.x.regex', 'RE2'),
  http(
    'a match by an expression of queries',
    `match: [{ queryParams: { x: { regex: "(" } } }], ${ROUTE}`,
    '.match[0].queryParams.x.regex',
    'RE2',
  ),
  http('an empty prefix of a path', `match: [{ uri: { prefix: "" } }], ${ROUTE}`),
  http('an empty prefix of a method', `match: [{ method: { prefix: "" } }], ${ROUTE}`, '.match[0].method.prefix', 'matches everything'),
  http('an empty expression', `match: [{ authority: { regex: "" } }], ${ROUTE}`, '.match[0].authority.regex', 'give one'),
  http(
    'a long expression',
    `match: [{ uri: { regex: "${'a'.repeat(1025)}" } }], ${ROUTE}`,
    '.match[0].uri.regex',
    'at most 1024 characters',
  ),
  http(
    'labels of callers that are none',
    `match: [{ sourceLabels: { "a b": x } }], ${ROUTE}`,
    '.match[0].sourceLabels.a b',
    'is no key of a label',
  ),
  http(
    'a namespace of callers that is none',
    `match: [{ sourceNamespace: a_b }], ${ROUTE}`,
    '.match[0].sourceNamespace',
    'is no name of a namespace',
  ),
  http(
    'a large response',
    `directResponse: { status: 200, body: { string: "${'x'.repeat(1_048_577)}" } }`,
    '.directResponse.body',
    '1048577 bytes',
  ),
];

const RULES: readonly ValidationCase[] = [
  traffic('an empty policy', '', '', 'it says nothing'),
  traffic('an empty connection pool', 'connectionPool: {}', '.connectionPool', 'it limits nothing'),
  traffic('an empty block of TCP', 'connectionPool: { tcp: {} }'),
  traffic('an empty policy of a port', 'portLevelSettings: [{ port: { number: 80 } }]', '.portLevelSettings[0]', 'it says nothing'),
  traffic('a policy of no port', 'portLevelSettings: [{ tls: { mode: DISABLE } }]', '.portLevelSettings[0]', 'give the port'),
  traffic(
    'the protocol of the client with UPGRADE',
    'connectionPool: { http: { h2UpgradePolicy: UPGRADE, useClientProtocol: true } }',
    '.connectionPool.http.useClientProtocol',
    'remove one',
  ),
  traffic(
    'pings without a time',
    'connectionPool: { http: { http2KeepAlive: { interval: 5s } } }',
    '.connectionPool.http.http2KeepAlive',
    'give the timeout',
  ),
  traffic(
    'local failures that are not split',
    'outlierDetection: { consecutiveLocalOriginFailures: 3 }',
    '.outlierDetection.consecutiveLocalOriginFailures',
    'splitExternalLocalOriginErrors',
  ),
  traffic(
    'a table that is no prime',
    'loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 1000 } } }',
    '.loadBalancer.consistentHash.maglev.tableSize',
    '1000 is no size',
  ),
  traffic(
    'a table of no size',
    'loadBalancer: { consistentHash: { useSourceIp: true, maglev: {} } }',
    '.loadBalancer.consistentHash.maglev.tableSize',
    '0 is no size',
  ),
  traffic('a table that is a prime', 'loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 1009 } } }'),
  traffic(
    'two sizes of a ring',
    'loadBalancer: { consistentHash: { useSourceIp: true, minimumRingSize: 8, ringHash: { minimumRingSize: 8 } } }',
    '.loadBalancer.consistentHash.minimumRingSize',
    'this older field',
  ),
  traffic(
    'a cookie without a name',
    'loadBalancer: { consistentHash: { httpCookie: { name: "" } } }',
    '.loadBalancer.consistentHash.httpCookie.name',
    'a cookie needs a name',
  ),
  traffic(
    'distribute and failover',
    'loadBalancer: { localityLbSetting: { distribute: [{ from: a, to: { a: 100 } }], failover: [{ from: a, to: b }] } }',
    '.loadBalancer.localityLbSetting.failover',
    'not both',
  ),
  traffic(
    'shares of 90 per cent',
    'loadBalancer: { localityLbSetting: { distribute: [{ from: a, to: { a: 50, b: 40 } }] } }',
    '.loadBalancer.localityLbSetting.distribute[0].to',
    'add up to 90',
  ),
  traffic(
    'a share of 0',
    'loadBalancer: { localityLbSetting: { distribute: [{ from: a, to: { a: 0, b: 100 } }] } }',
    '.loadBalancer.localityLbSetting.distribute[0].to.a',
    'give 1 to 100',
  ),
  traffic(
    'places that overlap',
    'loadBalancer: { localityLbSetting: { distribute: [{ from: a/*, to: { a/b: 50, a/b/c: 50 } }] } }',
    '.loadBalancer.localityLbSetting.distribute[0].to',
    'overlap',
  ),
  traffic('places apart', 'loadBalancer: { localityLbSetting: { distribute: [{ from: a/*, to: { a/b: 50, a/c: 50 } }] } }'),
  traffic(
    'failover within a region',
    'loadBalancer: { localityLbSetting: { failover: [{ from: a, to: a }] } }',
    '.loadBalancer.localityLbSetting.failover[0]',
    'name another',
  ),
  traffic(
    'failover to a zone',
    'loadBalancer: { localityLbSetting: { failover: [{ from: a, to: b/c }] } }',
    '.loadBalancer.localityLbSetting.failover[0]',
    'from region to region',
  ),
  traffic(
    'failover and its label',
    'loadBalancer: { localityLbSetting: { failover: [{ from: a, to: b }], failoverPriority: ["topology.kubernetes.io/zone"] } }',
    '.loadBalancer.localityLbSetting.failoverPriority',
    'orders regions already',
  ),
  traffic(
    'zones for Envoy and by label',
    'loadBalancer: { zoneAwareLbSetting: { failoverPriority: ["topology.kubernetes.io/zone"] } }',
    '.loadBalancer.zoneAwareLbSetting.failoverPriority[0]',
    'are looked at anyway',
  ),
  traffic(
    'a Secret and a file',
    'tls: { mode: MUTUAL, credentialName: a, caCertificates: /a }',
    '.tls.caCertificates',
    'certificates come from a already',
  ),
  traffic(
    'roots that do not count',
    'tls: { mode: SIMPLE, caCertificates: /a, insecureSkipVerify: true }',
    '.tls.caCertificates',
    'insecureSkipVerify believes anybody',
  ),
  traffic('a mutual connection without a key', 'tls: { mode: MUTUAL, clientCertificate: /a }', '.tls', 'needs privateKey'),
  rule('a host that is none', 'host: a_b', '.host', 'is no host'),
  rule('a subset twice', 'host: a, subsets: [{ name: v1 }, { name: v1 }]', '.subsets[1].name', 'duplicate subset'),
  rule('a subset that is none', 'host: a, subsets: [{ name: v_1 }]', '.subsets[0].name', 'is no name of a subset'),
  rule(
    'labels that are none',
    'host: a, subsets: [{ name: v1, labels: { version: "a b" } }]',
    '.subsets[0].labels.version',
    'is no value of a label',
  ),
  rule(
    'an empty policy of a subset',
    'host: a, subsets: [{ name: v1, trafficPolicy: {} }]',
    '.subsets[0].trafficPolicy',
    'it says nothing',
  ),
];

const DYNAMIC = 'resolution: DYNAMIC_DNS';
const PORT = 'ports: [{ number: 80, name: http, protocol: HTTP }]';

const ENTRIES: readonly ValidationCase[] = [
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

const POLICIES: readonly ValidationCase[] = [
  policy('DENY without rules', 'action: DENY', '', 'it is never triggered'),
  policy('DENY with an empty list of rules', 'action: DENY, rules: []', '', 'it is never triggered'),
  policy('DENY of everything', 'action: DENY, rules: [{}]'),
  policy('ALLOW without rules', 'action: ALLOW'),
  policy('CUSTOM without rules', 'action: CUSTOM, provider: { name: x }', '', 'it is never triggered'),
  policy('CUSTOM without an authorizer', 'action: CUSTOM, rules: [{}]', '.provider', 'give provider.name'),
  policy(
    'CUSTOM by principal',
    'action: CUSTOM, provider: { name: x }, rules: [{ from: [{ source: { principals: ["*"] } }] }]',
    '.rules[0].from[0].source.principals',
    'CUSTOM cannot be limited by principals',
  ),
  policy(
    'CUSTOM by claim',
    'action: CUSTOM, provider: { name: x }, rules: [{ when: [{ key: "request.auth.claims[a]", values: [b] }] }]',
    '.rules[0].when[0].key',
    'CUSTOM cannot be limited by',
  ),
  policy('an authorizer of an ALLOW', 'provider: { name: x }, rules: [{}]', '.provider', 'is for action CUSTOM'),
  policy('an empty source', 'rules: [{ from: [{ source: {} }] }]', '.rules[0].from[0].source', 'give a field'),
  policy('an empty operation', 'rules: [{ to: [{ operation: { paths: [] } }] }]', '.rules[0].to[0].operation', 'give a field'),
  policy('an empty text', 'rules: [{ to: [{ operation: { paths: [""] } }] }]', '.rules[0].to[0].operation.paths[0]', 'an empty value'),
  policy(
    'an address that is none',
    'rules: [{ from: [{ source: { ipBlocks: [1.2.3] } }] }]',
    '.rules[0].from[0].source.ipBlocks[0]',
    'is no IP address',
  ),
  policy('a range', 'rules: [{ from: [{ source: { notRemoteIpBlocks: [10.0.0.0/8, "::1"] } }] }]'),
  policy(
    'a range of a condition that is none',
    'rules: [{ when: [{ key: source.ip, values: [x] }] }]',
    '.rules[0].when[0].values[0]',
    'is no IP address',
  ),
  policy(
    'a service account with a wildcard',
    'rules: [{ from: [{ source: { serviceAccounts: ["a/*"] } }] }]',
    '.rules[0].from[0].source.serviceAccounts[0]',
    'name the account',
  ),
  policy(
    'a service account of two namespaces',
    'rules: [{ from: [{ source: { serviceAccounts: [a/b/c] } }] }]',
    '.rules[0].from[0].source.serviceAccounts[0]',
    'write account or namespace/account',
  ),
  policy(
    'a trust domain with a slash',
    'rules: [{ from: [{ source: { trustDomains: [a/b] } }] }]',
    '.rules[0].from[0].source.trustDomains[0]',
    'is no trust domain',
  ),
  policy(
    'a wildcard in the middle',
    'rules: [{ from: [{ source: { trustDomains: ["a*b"] } }] }]',
    '.rules[0].from[0].source.trustDomains[0]',
    'at one of its ends',
  ),
  policy('a path template', 'rules: [{ to: [{ operation: { paths: ["/a/{*}/b/{**}"] } }] }]'),
  policy(
    'a path template that goes on',
    'rules: [{ to: [{ operation: { paths: ["/{**}/{*}"] } }] }]',
    '.rules[0].to[0].operation.paths[0]',
    'goes on behind',
  ),
  policy(
    'braces in a path',
    'rules: [{ to: [{ operation: { notPaths: ["/{id}"] } }] }]',
    '.rules[0].to[0].operation.notPaths[0]',
    'no path template',
  ),
  policy(
    'a condition without a name',
    'rules: [{ when: [{ key: "request.headers[]", values: [a] }] }]',
    '.rules[0].when[0].key',
    'unknown key',
  ),
  policy(
    'a condition without values',
    'rules: [{ when: [{ key: source.ip, values: [] }] }]',
    '.rules[0].when[0]',
    'needs values or notValues',
  ),
  { ...policy('a dry run', 'action: DENY, rules: [{}]'), annotations: '{ istio.io/dry-run: "true" }' },
  {
    ...policy('a dry run of AUDIT', 'action: AUDIT, rules: [{}]'),
    annotations: '{ istio.io/dry-run: "true" }',
    refused: ['metadata.annotations.istio.io/dry-run', 'only ALLOW and DENY'],
  },
  {
    ...policy('a dry run that is neither', 'action: DENY, rules: [{}]'),
    annotations: '{ istio.io/dry-run: "yes" }',
    refused: ['metadata.annotations.istio.io/dry-run', 'is not "true" or "false"'],
  },
  {
    ...rule('a dry run of a rule', 'host: a'),
    annotations: '{ istio.io/dry-run: "true" }',
    refused: ['metadata.annotations.istio.io/dry-run', 'only an AuthorizationPolicy'],
  },
  {
    kind: 'Telemetry',
    what: 'a tag without a value',
    spec: '{ metrics: [{ overrides: [{ tagOverrides: { a: {} } }] }] }',
    refused: ['spec.metrics[0].overrides[0].tagOverrides.a', 'give the value'],
  },
];

const SERVER = 'port: { number: 80, name: http, protocol: HTTP }';

const GATEWAYS: readonly ValidationCase[] = [
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
];

export const VALIDATION_CASES: readonly ValidationCase[] = [...VIRTUAL_SERVICES, ...ROUTES, ...RULES, ...ENTRIES, ...POLICIES, ...GATEWAYS];

const GROUPS: Readonly<Record<string, string>> = { AuthorizationPolicy: 'security.istio.io/v1', Telemetry: 'telemetry.istio.io/v1' };

/** The document of a case. */
export function documentOf({ kind, spec, annotations, name = 'x' }: ValidationCase): string {
  return `apiVersion: ${GROUPS[kind] ?? 'networking.istio.io/v1'}
kind: ${kind}
metadata: { name: ${name}, namespace: default${annotations === undefined ? '' : `, annotations: ${annotations}`} }
spec: ${spec}
`;
}
