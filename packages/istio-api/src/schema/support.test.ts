import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Finding, formatFinding, parseDocuments, type Schema, validateObject } from '../index.ts';
import { KINDS } from './kinds.ts';
import type { ListSchema, NumberSchema, ObjectSchema, TextSchema } from './schema.ts';

function findings(text: string, file = 'a.yaml'): Finding[] {
  const { objects, findings: problems } = parseDocuments(text, { file });
  return [...problems, ...objects.flatMap(validateObject)];
}

const doc = (api: string, kind: string, spec: string, more = ''): string =>
  `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: x }\nspec: ${spec}${more}`;
const networking = (kind: string, spec: string): string => doc('networking.istio.io/v1', kind, spec);
const security = (kind: string, spec: string): string => doc('security.istio.io/v1', kind, spec);
const rule = (policy: string): string => networking('DestinationRule', `{ host: a, trafficPolicy: ${policy} }`);
const route = (fields: string): string =>
  networking('VirtualService', `{ hosts: [a], http: [{ route: [{ destination: { host: a } }], ${fields} }] }`);
const gateway = (server: string): string => networking('Gateway', `{ servers: [{ hosts: ["*"], ${server} }] }`);
const listener = (fields: string): string =>
  doc('gateway.networking.k8s.io/v1', 'Gateway', `{ gatewayClassName: istio, listeners: [{ name: s, port: 443, ${fields} }] }`);
const httpRoute = (rule: string): string =>
  doc('gateway.networking.k8s.io/v1', 'HTTPRoute', `{ parentRefs: [{ name: edge }], rules: [{ ${rule} }] }`);
const patch = (entry: string): string => doc('networking.istio.io/v1alpha3', 'EnvoyFilter', `{ configPatches: [${entry}] }`);
const FILTER = `{ configPatches: [{ applyTo: HTTP_FILTER, patch: { operation: INSERT_FIRST, filterClass: AUTHZ, value: {} } }] }`;

describe('what would be unsafe or something else when it is left out', () => {
  it.each([
    ...(
      [
        ['HTTPS without TLS settings', '', 'a server of protocol HTTPS needs tls'],
        [
          'SIMPLE without a certificate',
          ', tls: { mode: SIMPLE }',
          'mode SIMPLE needs credentialName, or serverCertificate and privateKey',
        ],
        ['half a pair of files', ', tls: { mode: SIMPLE, serverCertificate: /c }', 'serverCertificate and privateKey belong together'],
        [
          'a Secret and files',
          ', tls: { mode: SIMPLE, credentialName: c, serverCertificate: /c, privateKey: /k }',
          'give credentialName or files',
        ],
        [
          'MUTUAL with files and no bundle',
          ', tls: { mode: MUTUAL, serverCertificate: /c, privateKey: /k }',
          'mode MUTUAL needs caCertificates',
        ],
        [
          'ISTIO_MUTUAL with a certificate',
          ', tls: { mode: ISTIO_MUTUAL, credentialName: c }',
          'mode ISTIO_MUTUAL shows the certificate of the mesh',
        ],
        ['callers that nobody verifies', ', tls: { mode: MUTUAL, credentialName: c, insecureSkipVerify: true }', 'tls.insecureSkipVerify'],
        ['a revocation list in a file', ', tls: { mode: MUTUAL, credentialName: c, caCrl: /x }', 'tls.caCrl'],
      ] as const
    ).map(([what, tls, expected]): [string, string, string] => [
      what,
      gateway(`port: { number: 443, protocol: HTTPS, name: p }${tls}`),
      expected,
    ]),
    [
      'a certificate of another server',
      rule('{ tls: { mode: SIMPLE, credentialName: "sds://a" } }'),
      'spec.trafficPolicy.tls.credentialName: certificates come from Secrets',
    ],
    [
      'MUTUAL without a key',
      rule('{ tls: { mode: MUTUAL, clientCertificate: /c } }'),
      'spec.trafficPolicy.tls: mode MUTUAL needs privateKey',
    ],
    [
      'a route that trusts what is no claim',
      route('match: [{ headers: { "@request.auth.claims": { exact: admin } } }]'),
      'this names no claim',
    ],
    ['a route that distrusts one', route('match: [{ withoutHeaders: { "@request.auth.principal": {} } }]'), 'this names no claim'],
    [
      'a redirect with a code that is none',
      networking('VirtualService', '{ hosts: [a], http: [{ redirect: { redirectCode: 300 } }] }'),
      '300 is not one of 301',
    ],
    [
      'a condition of retries that is none',
      route('retries: { attempts: 1, retryOn: "5xx,gatway-error" }'),
      '"gatway-error" is no condition',
    ],
    ['a gRPC status that is none', route('fault: { abort: { grpcStatus: TEAPOT } }'), '"TEAPOT" is not one of OK, CANCELLED'],
    [
      'a plaintext server with a certificate',
      gateway('port: { number: 9000, protocol: TCP, name: p }, tls: { mode: SIMPLE, credentialName: c }'),
      'spec.servers[0].tls: a server of protocol TCP is plaintext: give it protocol TLS',
    ],
    [
      'TLS settings of a plaintext server of requests',
      gateway('port: { number: 80, protocol: HTTP, name: p }, tls: { mode: SIMPLE, credentialName: c }'),
      'spec.servers[0].tls: a server of protocol HTTP is plaintext',
    ],
    [
      'an expression that is none',
      doc('telemetry.istio.io/v1', 'Telemetry', '{ accessLogging: [{ filter: { expression: "response.code >=" } }] }'),
      'a.yaml:4 Telemetry default/x spec.accessLogging[0].filter.expression: must be a valid CEL expression, "response.code >=" is not: Unexpected token: EOF',
    ],
    [
      'a tag of an expression that is none',
      doc(
        'telemetry.istio.io/v1',
        'Telemetry',
        '{ metrics: [{ overrides: [{ tagOverrides: { a: { operation: UPSERT, value: "a b" } } }] }] }',
      ),
      'spec.metrics[0].overrides[0].tagOverrides.a.value: must be a valid CEL expression',
    ],
    ...(
      [
        ['an empty Sidecar', '{}', 'an empty Sidecar says nothing'],
        [
          'an app elsewhere',
          '{ ingress: [{ port: { number: 1 }, defaultEndpoint: "10.0.0.1:80" }] }',
          '"10.0.0.1:80" must be 127.0.0.1:<port>',
        ],
        [
          'a port twice',
          '{ ingress: [{ port: { number: 1 } }, { port: { number: 1 } }] }',
          'spec.ingress[1].port.number: port 1 stands here twice',
        ],
        [
          'hosts of all ports before others',
          '{ egress: [{ hosts: ["./*"] }, { port: { number: 80 }, hosts: ["./*"] }] }',
          'must be the last one',
        ],
        [
          'an egress proxy that nothing goes to',
          '{ outboundTrafficPolicy: { egressProxy: { host: a.b, port: { number: 1 } } } }',
          'an egressProxy needs mode ALLOW_ANY',
        ],
        [
          'an egress proxy without port',
          '{ outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: a.b } } }',
          'port must be given',
        ],
      ] as const
    ).map(([what, spec, expected]): [string, string, string] => [what, networking('Sidecar', spec), expected]),
    ['TLS of a Sidecar', networking('Sidecar', '{ ingress: [{ port: { number: 1 }, tls: { mode: SIMPLE } }] }'), 'spec.ingress[0].tls'],
    ['an HTTPS listener without a certificate', listener('protocol: HTTPS, tls: {}'), 'certificateRefs or options must be given'],
    [
      'TLS for a listener without',
      listener('protocol: HTTP, tls: { certificateRefs: [{ name: c }] }'),
      'tls must not be given for protocol HTTP',
    ],
    ['a path that requests never have', httpRoute('matches: [{ path: { value: /a//b } }]'), 'must not hold "//"'],
    [
      'a redirect with a backend',
      httpRoute('filters: [{ type: RequestRedirect, requestRedirect: {} }], backendRefs: [{ name: a, port: 80 }]'),
      'leave one of the two out',
    ],
    ['a filter without its field', httpRoute('filters: [{ type: URLRewrite }]'), 'urlRewrite must be given'],
    [
      'a prefix that is replaced where none matched',
      httpRoute(
        'matches: [{ path: { type: Exact, value: /a } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }]',
      ),
      'needs exactly one match',
    ],
    ['a backend without a port', httpRoute('backendRefs: [{ name: a }]'), 'a Service needs a port'],
    [
      'a parent twice',
      doc(
        'gateway.networking.k8s.io/v1',
        'GRPCRoute',
        '{ parentRefs: [{ name: a, port: 80 }, { name: b }, { name: a, port: 81 }, { name: a, port: 80 }] }',
      ),
      'spec.parentRefs[3]: parent "a" is named twice',
    ],
    [
      'a parent whole and in part (rule of the API: sectionName or port must be specified)',
      doc('gateway.networking.k8s.io/v1', 'GRPCRoute', '{ parentRefs: [{ name: a }, { name: a, sectionName: s }] }'),
      'spec.parentRefs[1]: sectionName or port must be specified',
    ],
    ['a policy for a waypoint', security('AuthorizationPolicy', '{ targetRefs: [{ kind: Service, name: a }] }'), 'spec.targetRefs'],
    ['a patch of nothing', patch('{ patch: { operation: MERGE, value: {} } }'), 'applyTo must be given'],
    ['a patch without a value', patch('{ applyTo: CLUSTER, patch: { operation: MERGE } }'), 'patch.value must be given'],
    [
      'a patch of a cluster by its listener',
      patch('{ applyTo: CLUSTER, match: { listener: { name: a } }, patch: { operation: REMOVE } }'),
      'is matched by cluster, not by listener',
    ],
    [
      'a filter inside a filter that has none',
      patch(
        '{ applyTo: HTTP_FILTER, match: { listener: { filterChain: { filter: { name: a, subFilter: { name: b } } } } }, patch: { operation: REMOVE } }',
      ),
      'subFilter needs the filter envoy.filters.network.http_connection_manager',
    ],
    [
      'spec spelled wrong',
      'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: x }\nsepc: { mtls: { mode: STRICT } }',
      'a.yaml:4 PeerAuthentication default/x sepc: unknown field "sepc": everything stands under spec',
    ],
    [
      'a kind that is misspelled',
      doc('extensions.istio.io/v1alpha1', 'WasmPlugins', '{}'),
      'has no kind WasmPlugins; did you mean "WasmPlugin"?',
    ],
    [
      'a dry run of a kind without effect',
      'apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\nmetadata: { name: x, annotations: { istio.io/dry-run: "true" } }\nspec: {}',
      'only an AuthorizationPolicy can be run dry',
    ],
    [
      'a plugin that authorizes, of what cannot be extended',
      doc('extensions.istio.io/v1alpha1', 'WasmPlugin', '{ url: "https://a/b", phase: AUTHZ, targetRefs: [{ kind: Gateway, name: g }] }'),
      'spec.targetRefs[0]: a Gateway of "" cannot be extended',
    ],
  ])('is refused: %s', (_what, text, expected) => {
    const errors = findings(text).filter(({ severity }) => severity === 'error');
    expect(errors.map(formatFinding).join('\n')).toContain(expected);
  });

  it.each([
    ['a Wasm plugin that authorizes', doc('extensions.istio.io/v1alpha1', 'WasmPlugin', '{ phase: AUTHZ }')],
    ['an extension that authenticates', doc('extensions.istio.io/v1alpha1', 'TrafficExtension', '{ phase: AUTHN }')],
    ['an EnvoyFilter that authorizes', doc('networking.istio.io/v1alpha3', 'EnvoyFilter', FILTER)],
  ])('closes the workloads that it would protect: %s', (_what, text) => {
    expect(findings(text).map(formatFinding).join('\n')).toContain('workloads that it selects refuse every request');
  });
});

describe('what a cluster takes', () => {
  it.each([
    ['a timeout of a route that is switched off', 'timeouts: { request: 0s, backendRequest: 0s }, backendRefs: [{ name: a, port: 80 }]'],
    [
      'a prefix that is replaced by a rule without matches, which is one for every path',
      'filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /a } } }], backendRefs: [{ name: a, port: 80 }]',
    ],
  ])('is no mistake: %s', (_what, rule) => {
    expect(findings(httpRoute(rule)).filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describe('what is optional', () => {
  it.each([
    [
      'a keepalive interval',
      rule('{ connectionPool: { tcp: { tcpKeepalive: { interval: 5s } } } }'),
      'tcpKeepalive.interval: this field has no effect',
    ],
    ['a limit of streams', rule('{ connectionPool: { http: { maxConcurrentStreams: 5 } } }'), 'maxConcurrentStreams'],
    ['retries by a header', route('retries: { attempts: 1, retryOn: "503,retriable-headers" }'), 'no header can be named'],
    [
      'the life of a cookie',
      rule('{ loadBalancer: { consistentHash: { httpCookie: { name: c, ttl: 60s } } } }'),
      'a missing cookie is not made',
    ],
    ['the size from which zones count', rule('{ loadBalancer: { zoneAwareLbSetting: { minClusterSize: 6 } } }'), 'minClusterSize'],
    ['a server of datagrams', gateway('port: { number: 9000, protocol: UDP, name: p }'), 'port 9000 is not opened by our gateway'],
    [
      'a route of bytes in the mesh',
      networking('VirtualService', '{ hosts: [a.b], tcp: [{ route: [{ destination: { host: a.b } }] }] }'),
      'spec.tcp[0]: in the mesh this route has no effect on our own processes',
    ],
    [
      'a route by name in the mesh, by its match',
      networking(
        'VirtualService',
        '{ hosts: [a.b], gateways: [g, mesh], tls: [{ match: [{ sniHosts: [a.b], gateways: [mesh] }], route: [{ destination: { host: a.b } }] }] }',
      ),
      'spec.tls[0]: in the mesh this route has no effect on our own processes',
    ],
    [
      'a tag that our messages do not know',
      doc('telemetry.istio.io/v1', 'Telemetry', '{ tracing: [{ customTags: { t: { formatter: { value: "%PROTOCOL%" } } } }] }'),
      'spec.tracing[0].customTags.t.formatter: this field has no effect',
    ],
    [
      'a TCPRoute in the mesh',
      doc(
        'gateway.networking.k8s.io/v1alpha2',
        'TCPRoute',
        '{ parentRefs: [{ group: "", kind: Service, name: db }], rules: [{ backendRefs: [{ name: db, port: 1 }] }] }',
      ),
      'for calls to db this route has no effect on our own processes',
    ],
    [
      'a patch of the bootstrap',
      patch('{ applyTo: BOOTSTRAP, patch: { operation: MERGE, value: {} } }'),
      'a patch of BOOTSTRAP has no effect',
    ],
    ['an ExternalName', doc('v1', 'Service', '{ type: ExternalName, externalName: a.b }'), 'write a ServiceEntry'],
    [
      'a range of addresses',
      networking('ServiceEntry', '{ hosts: [a.b], addresses: [10.0.0.0/8], ports: [{ number: 80, name: http, protocol: HTTP }] }'),
      'an address range is not matched',
    ],
    [
      'another port without an address',
      networking('ServiceEntry', '{ hosts: [a.b], resolution: NONE, ports: [{ number: 80, name: http, targetPort: 8080 }] }'),
      'with resolution NONE the port of the URL is dialled',
    ],
  ])('is told and left out: %s', (_what, text, expected) => {
    const found = findings(text);
    expect(found.filter(({ severity }) => severity === 'error').map(formatFinding)).toEqual([]);
    expect(found.map(formatFinding).join('\n')).toContain(expected);
  });

  it('a kind without effect is told once, not field by field', () => {
    expect(
      findings(doc('networking.istio.io/v1beta1', 'ProxyConfig', '{ selector: { matchLabels: { a: b } }, concurrency: 2 }')),
    ).toHaveLength(1);
  });

  it('the mesh configuration is looked into', () => {
    const found = findings('trustDomain: a\nhboneIdleTimeout: 5s\ntrustDomian: b\n', 'mesh.yaml').map(formatFinding);
    expect(found).toEqual([
      'mesh.yaml:2 MeshConfig mesh spec.hboneIdleTimeout: this field has no effect in this version: there is no proxy process and nothing is captured [RIPSTOP_UNSUPPORTED_FIELD]',
      'mesh.yaml:3 MeshConfig mesh spec.trustDomian: unknown field "trustDomian"; did you mean "trustDomain"? [RIPSTOP_UNKNOWN_FIELD]',
    ]);
  });

  it('the mesh configuration may stand in the ConfigMap of Istio, and is found at its lines', () => {
    const text =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata:\n  mesh: |\n    trustDomain: a\n    trustDomian: b\n';
    expect(parseDocuments(text, { file: 'a.yaml' }).objects.map(({ kind }) => kind)).toEqual(['ConfigMap', 'MeshConfig']);
    expect(findings(text).map(formatFinding)).toEqual([
      'a.yaml:7 MeshConfig mesh spec.trustDomian: unknown field "trustDomian"; did you mean "trustDomain"? [RIPSTOP_UNKNOWN_FIELD]',
    ]);
    expect(parseDocuments(text.replace('name: istio,', 'name: other,'), { file: 'a.yaml' }).objects).toHaveLength(1);
  });

  it('what Kubernetes writes for its own controllers is no mistake', () => {
    const service = doc(
      'v1',
      'Service',
      '{ sessionAffinity: None, ipFamilies: [IPv4], ports: [{ port: 80, nodePort: 30000 }] }',
      '\nstatus: { loadBalancer: {} }',
    );
    expect(findings(service)).toEqual([]);
  });
});

const crds = join(
  process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../../shared/conformance'),
  'crds/istio-crds.yaml',
);
const present = existsSync(crds);
if (!present) console.log(`skipped: Istio's CRDs (no ${crds})`);

interface OpenApi {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, OpenApi>>;
  readonly items?: OpenApi;
  readonly additionalProperties?: OpenApi | boolean;
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly oneOf?: readonly { readonly required?: readonly string[] }[];
  readonly nullable?: boolean;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly { readonly message?: string }[];
}
interface Crd {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: OpenApi } }[];
  };
}

describe.skipIf(!present)("Istio's CRDs", () => {
  const all = present ? parseAllDocuments(readFileSync(crds, 'utf8')).flatMap((document) => (document.toJS() as Crd | null) ?? []) : [];

  it.each(all.map((crd) => [crd.spec.names.kind, crd] as const))(
    'every field, value and rule of %s is known, and no field besides',
    (kind, crd) => {
      const entry = KINDS.find((known) => known.kind === kind && known.group === crd.spec.group);
      expect([...(entry?.versions ?? [])].sort()).toEqual(crd.spec.versions.map(({ name }) => name).sort());
      const { properties, required = [] } = crd.spec.versions[0]!.schema.openAPIV3Schema;
      expect(entry!.requiresSpec === true).toBe(required.includes('spec'));
      const found = differences(properties!.spec!, entry!.spec!, 'spec');
      expect(found.filter((text) => text !== LENIENT)).toEqual([]);
    },
  );
});

/** istiod does not ask for it, and many documents have none. */
const LENIENT = 'spec.servers[].port: needs name';

/** What the CRD says of a field and our schema does not. */
function differences(theirs: OpenApi, ours: Schema, path: string): string[] {
  return [...weaker(theirs, ours).map((what) => `${path}: ${what}`), ...inner(theirs, ours, path)];
}

function inner(theirs: OpenApi, ours: Schema, path: string): string[] {
  if (ours.type === 'list') return theirs.items === undefined ? [`${path} is no list`] : differences(theirs.items, ours.items, `${path}[]`);
  if (ours.type === 'map') {
    const item = theirs.additionalProperties;
    return typeof item === 'object' ? differences(item, ours.items, `${path}.*`) : [];
  }
  if (ours.type !== 'object') return theirs.properties === undefined || ours.type === 'any' ? [] : [`${path} is an object`];
  const found = Object.entries(theirs.properties ?? {}).flatMap(([name, field]) =>
    ours.fields[name] === undefined ? [`${path}.${name} is unknown`] : differences(field, ours.fields[name], `${path}.${name}`),
  );
  return [...found, ...Object.keys(ours.fields).flatMap((name) => (theirs.properties?.[name] ? [] : [`${path}.${name} does not exist`]))];
}

/** OpenAPI and CEL. Ours may be stricter: istiod's own validation is. */
function weaker(theirs: OpenApi, ours: Schema): string[] {
  const of = ours as Partial<Omit<TextSchema, 'type'> & Omit<NumberSchema, 'type'> & Omit<ListSchema, 'type'> & Omit<ObjectSchema, 'type'>>;
  const messages = (ours.rules ?? []).map(({ message }) => message).join('\n');
  const least = (bound: number | undefined, own: number | undefined, what: string): string[] =>
    bound === undefined || (own !== undefined && own >= bound) ? [] : [`${what} ${bound}`];
  const most = (bound: number | undefined, own: number | undefined, what: string): string[] =>
    bound === undefined || (own !== undefined && own <= bound) ? [] : [`${what} ${bound}`];
  const isPort = messages.includes('port must be between');
  const groups = (theirs.oneOf ?? []).flatMap(({ required }) => required ?? []);
  return [
    ...(theirs.enum ?? []).filter((value) => of.values?.includes(value) !== true).map((value) => `may be ${value}`),
    ...(theirs.enum === undefined ? [] : (of.values ?? []).filter((value) => !theirs.enum!.includes(value))).map(
      (value) => `is never ${value}`,
    ),
    ...(theirs.required ?? []).filter((name) => of.required?.includes(name) !== true).map((name) => `needs ${name}`),
    ...(theirs.type === 'integer' && of.integer !== true && ours.type !== 'any' ? ['is a whole number'] : []),
    ...((theirs.nullable ?? false) === (ours.nullable ?? false) ? [] : [`nullable: ${theirs.nullable ?? false}`]),
    ...(theirs.pattern === undefined || of.pattern?.source === theirs.pattern ? [] : [`pattern ${theirs.pattern}`]),
    ...least(theirs.minLength, of.minLength, 'at least'),
    ...most(theirs.maxLength, of.maxLength, 'at most'),
    ...(isPort ? [] : [...least(theirs.minimum, of.min, 'from'), ...most(theirs.maximum, of.max, 'to')]),
    ...least(theirs.minItems ?? theirs.minProperties, of.minItems, 'items from'),
    ...most(theirs.maxItems ?? theirs.maxProperties, of.maxItems, 'items to'),
    ...(theirs['x-kubernetes-list-map-keys'] ?? []).filter((key) => of.key !== key).map((key) => `items differ by ${key}`),
    ...(groups.length < 2 || of.oneOf?.some((group) => groups.every((name) => group.includes(name))) ? [] : [`one of ${groups.join()}`]),
    ...(theirs['x-kubernetes-validations'] ?? [])
      .filter(({ message = '' }) => !messages.includes(message) && !(ours.type === 'duration' && message.includes('duration')))
      .map(({ message }) => `${message}`),
  ];
}
