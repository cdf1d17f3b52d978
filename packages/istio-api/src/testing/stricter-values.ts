/** What we refuse and istiod accepts, beside the fields that the schemas call refused: docs/reference/stricter.md, and the allowance of test/interop/istiod-mutations.test.ts. */
export interface StricterValue {
  readonly kind: string;
  /** As a reader finds it: the field, `[]` each item of a list. */
  readonly field: string;
  readonly value: string;
  readonly istiod: string;
  readonly why: string;
  /** Where the finding stands, and what it says. */
  readonly at: RegExp;
  readonly says: RegExp;
  /** A spec (or bare MeshConfig) in flow YAML that is right but for this. */
  readonly example: string;
}

const stricter = (
  kind: string,
  field: string,
  at: RegExp,
  value: string,
  says: RegExp,
  istiod: string,
  why: string,
  example: string,
): StricterValue => ({ kind, field, at, value, says, istiod, why, example });

const UNSEEN = 'a setting must not be lost unseen';
const NACK = 'sends it, and Envoy refuses the resource';

const MESH: readonly StricterValue[] = [
  stricter(
    'MeshConfig',
    'any',
    /^spec/,
    'an unknown name, or a name in snake_case',
    /^unknown field/,
    'leaves it out, and reads `trust_domain`',
    UNSEEN,
    '{ trust_domain: a }',
  ),
  stricter(
    'MeshConfig',
    'any number',
    /^spec/,
    'a number in quotes',
    /^must be a number, not "-?\d/,
    'reads it',
    'one way to write it',
    '{ proxyListenPort: "15001" }',
  ),
  stricter(
    'MeshConfig',
    'any enumeration',
    /^spec/,
    'the number of a value',
    /^must be text .* not \d/,
    'reads it',
    'one way to write it',
    '{ accessLogEncoding: 1 }',
  ),
  stricter(
    'MeshConfig',
    'any list',
    /^spec/,
    'an item that is null',
    /^must be something: an empty list item/,
    'reads it as an empty item',
    UNSEEN,
    '{ defaultServiceExportTo: [a, null] }',
  ),
  stricter(
    'MeshConfig',
    'any',
    /^spec/,
    'two fields of which one can be used (tracers, providers of keys)',
    /^give only one of/,
    'takes the last one',
    UNSEEN,
    '{ defaultConfig: { tracing: { zipkin: { address: "z:1" }, datadog: { address: "d:1" } } } }',
  ),
  stricter(
    'MeshConfig',
    '`dnsRefreshRate`, times of `tcpKeepalive`, of retry policies, `http2KeepAlive` and `extensionProviders[]`',
    /^spec\.(dnsRefreshRate|.*tcpKeepalive\.|default(Inbound)?HttpRetryPolicy\.|.*http2KeepAlive\.|extensionProviders\[\d+\]\..*timeout)/,
    'less than 1 ms, or parts of one',
    /too short|too exact|is no duration/,
    NACK,
    'every listener or cluster would be missing',
    '{ dnsRefreshRate: 0s }',
  ),
  stricter(
    'MeshConfig',
    '`defaultTrafficPolicy.connectionPool.http.http2KeepAlive`',
    /http2KeepAlive$/,
    'without interval or timeout',
    /^give the (interval|timeout)/,
    NACK,
    'every cluster would be missing',
    '{ defaultTrafficPolicy: { connectionPool: { http: { http2KeepAlive: { interval: 5s } } } } }',
  ),
  stricter(
    'MeshConfig',
    '`extensionProviders[].*.port`',
    /^spec\.extensionProviders\[\d+\]\.\w+\.port$/,
    '0, or above 65535',
    /port must be between/,
    'a warning in the log; the provider is left out',
    'a provider that authorizes would deny everything',
    '{ extensionProviders: [{ name: a, zipkin: { service: z, port: 65536 } }] }',
  ),
  stricter(
    'MeshConfig',
    '`discoverySelectors[].matchExpressions[].operator`',
    /\.operator$/,
    'an unknown operator',
    /is not one of In/,
    'a line in the log; the selectors are left out',
    'documents of every namespace would count',
    '{ discoverySelectors: [{ matchExpressions: [{ key: a, operator: Is }] }] }',
  ),
  stricter(
    'MeshConfig',
    '`default*HttpRetryPolicy.retryOn`',
    /HttpRetryPolicy\.retryOn$/,
    'a condition that is none',
    /is no condition/,
    'Envoy leaves it out',
    'nothing would be retried',
    '{ defaultHttpRetryPolicy: { attempts: 1, retryOn: always } }',
  ),
  stricter(
    'MeshConfig',
    '`default*HttpRetryPolicy.attempts`',
    /HttpRetryPolicy\.attempts$/,
    'below 0',
    /out of range/,
    'reads it as none',
    UNSEEN,
    '{ defaultHttpRetryPolicy: { attempts: -1 } }',
  ),
  stricter(
    'MeshConfig',
    '`defaultConfig.tracing.sampling`',
    /\.sampling$/,
    'below 0 or above 100',
    /out of range/,
    NACK,
    'every listener would be missing',
    '{ defaultConfig: { tracing: { sampling: 101 } } }',
  ),
  stricter(
    'MeshConfig',
    '`defaultTrafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes[]`',
    /outlierDetectionHttpErrorCodes\[\d+\]$/,
    'no status of HTTP',
    /out of range/,
    'reads it',
    'a DestinationRule is refused for it as well',
    '{ defaultTrafficPolicy: { outlierDetection: { outlierDetectionHttpErrorCodes: [99] } } }',
  ),
  stricter(
    'MeshConfig',
    '`zoneAwareLbSetting.minClusterSize`',
    /^spec\.zoneAwareLbSetting\.minClusterSize$/,
    'below 1',
    /out of range/,
    NACK,
    'a DestinationRule is refused for it as well',
    '{ zoneAwareLbSetting: { minClusterSize: 0 } }',
  ),
  stricter(
    'MeshConfig',
    '`caCertificates[].pem`',
    /^spec\.caCertificates\[\d+\]\.pem$/,
    'no certificate in PEM',
    /no list of certificates/,
    'a line in the log',
    'callers would be refused, and nobody knew why',
    '{ caCertificates: [{ pem: none }] }',
  ),
];

const KINDS: readonly StricterValue[] = [
  stricter(
    'VirtualService',
    '`http[].fault.delay.percent`',
    /^spec\.http\[\d+\]\.fault\.delay\.percent$/,
    'below 0 or above 100',
    /out of range/,
    'sends it, and Envoy takes it for 100',
    'a route must do what it says',
    '{ hosts: [a], http: [{ route: [{ destination: { host: a } }], fault: { delay: { fixedDelay: 1s, percent: 101 } } }] }',
  ),
  stricter(
    'EnvoyFilter',
    '`configPatches[].patch.value`',
    /\.patch\.value/,
    'a field that the message does not have',
    /^unknown field/,
    'leaves it out',
    UNSEEN,
    '{ configPatches: [{ applyTo: CLUSTER, patch: { operation: MERGE, value: { no_such_field: 1 } } }] }',
  ),
  stricter(
    'EnvoyFilter',
    '`configPatches[].patch.value`',
    /\.patch\.value/,
    'a duration in several parts (`9s9s`)',
    /not a duration: /,
    'adds the parts up',
    'the JSON of protobuf knows one number of seconds',
    '{ configPatches: [{ applyTo: HTTP_ROUTE, patch: { operation: MERGE, value: { route: { timeout: 9s9s } } } }] }',
  ),
  stricter(
    'Gateway',
    '`servers[].tls` of a plaintext server',
    /^spec\.servers\[\d+\]\.tls$/,
    'more than `httpsRedirect`',
    /is plaintext: give it protocol/,
    'leaves it out',
    'who gives a certificate or ciphers believes to be encrypted',
    '{ servers: [{ hosts: ["*"], port: { number: 80, name: http, protocol: HTTP }, tls: { cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384] } }] }',
  ),
  stricter(
    'RequestAuthentication',
    '`jwtRules[].fromHeaders[].name`, `outputPayloadToHeader`',
    /^spec\.jwtRules\[\d+\]\.(fromHeaders\[\d+\]\.name|outputPayloadToHeader)$/,
    'no name of a header',
    /is no name of a header/,
    NACK,
    'every listener would be missing',
    '{ jwtRules: [{ issuer: a, outputPayloadToHeader: "a b" }] }',
  ),
  stricter(
    'RequestAuthentication',
    '`jwtRules[].issuer`',
    /^spec\.jwtRules\[\d+\]\.issuer$/,
    'not given, beside a jwksUri',
    /issuer must be given|at least 1 chars long/,
    'a token of any issuer is good',
    'the issuer is half of the principal that policies name',
    '{ jwtRules: [{ jwksUri: "https://a.example/keys" }] }',
  ),
  stricter(
    'RequestAuthentication',
    '`jwtRules[].jwks`',
    /^spec\.jwtRules\[\d+\]\.jwks$/,
    'a set without a key that can be read, or with text behind it',
    /this key set cannot be used/,
    'sends it, and Envoy refuses the listener',
    'every listener would be missing',
    '{ jwtRules: [{ issuer: a, jwks: \'{"keys":[]}\' }] }',
  ),
  stricter(
    'Telemetry',
    '`metrics[].overrides[].tagOverrides.*.value`',
    /\.tagOverrides\..+\.value$/,
    'no CEL expression',
    /must be a valid CEL expression/,
    'sends it, and the proxy leaves the tag out',
    UNSEEN,
    '{ metrics: [{ overrides: [{ tagOverrides: { a: { value: "/" } } }] }] }',
  ),
  stricter(
    'VirtualService',
    '`http[].redirect.redirectCode`',
    /^spec\.http\[\d+\]\.redirect\.redirectCode$/,
    '0, 300, 304 to 306 and above 308',
    /is not one of 301/,
    'sends 301',
    'a route must do what it says',
    '{ hosts: [a], http: [{ redirect: { uri: /, redirectCode: 304 } }] }',
  ),
  stricter(
    'VirtualService',
    '`http[].directResponse.status`, `fault.abort.httpStatus`',
    /^spec\.http\[\d+\]\.(directResponse\.status|fault\.abort\.httpStatus)$/,
    'below 200 or above 599',
    /out of range/,
    NACK,
    'a route must do what it says',
    '{ hosts: [a], http: [{ directResponse: { status: 600 } }] }',
  ),
  stricter(
    'VirtualService',
    '`match[].port`',
    /^spec\.(http|tls|tcp)\[\d+\]\.match\[\d+\]\.port$/,
    '0',
    /port must be between/,
    'reads it as none',
    UNSEEN,
    '{ hosts: [a], http: [{ match: [{ port: 0 }], route: [{ destination: { host: a } }] }] }',
  ),
];

/** What istiod refuses and we take: the value does nothing, or is read as the text that it is. */
export const LAXER_VALUES: readonly StricterValue[] = [
  stricter(
    'EnvoyFilter',
    '`configPatches[].patch`',
    /^spec\.configPatches\[\d+\]\.patch/,
    'a number where a text is wanted, an empty `typed_config`, an empty value',
    /Envoy filter: /,
    'refuses the EnvoyFilter',
    'what can be read is read; a finding says what cannot',
    '{ configPatches: [{ applyTo: HTTP_FILTER, patch: { operation: INSERT_FIRST, value: { name: 5 } } }] }',
  ),
];

export const STRICTER_VALUES: readonly StricterValue[] = [...KINDS, ...MESH];

/** Of a field that the schemas call refused. */
export const REFUSED_FIELD: RegExp = /^this field is not supported, and leaving it out would change what the document means/;
