/** One row of docs/reference/errors.md. */
export interface ErrorRow {
  readonly code: string;
  readonly happened: string;
  readonly remedy: string;
}

/** Codes of MeshError: thrown by createMesh, ready, listen and their like; callers test `error.code`. */
export const MESH_ERRORS: readonly ErrorRow[] = [
  {
    code: 'RIPSTOP_BAD_QUESTION',
    happened: '`explain` was asked about something that is no request: the URL or the caller is wrong; the message names it.',
    remedy: 'Give an absolute http: URL, and as `from` a namespace/serviceaccount, a SPIFFE id or `anonymous`.',
  },
  {
    code: 'RIPSTOP_BAD_SETTING',
    happened: 'There is no such option, or an option or a RIPSTOP_* variable has a value that cannot be used; the message names it.',
    remedy: 'Give a value of the form that the message names; all of them: [settings](settings.md).',
  },
  {
    code: 'RIPSTOP_CLOSED',
    happened: '`listen` was called on a mesh that is closed or closing.',
    remedy: 'Make a new mesh, or call `listen` before `close`.',
  },
  {
    code: 'RIPSTOP_NO_CA',
    happened: '`rotateIdentity` was called, and no certificate authority is configured.',
    remedy: 'Set RIPSTOP_XDS to the TLS address of the control plane, or RIPSTOP_CA, and a token.',
  },
  {
    code: 'RIPSTOP_NO_CERTIFICATE',
    happened: 'The certificate authority issued no certificate in time; the message has its last answer.',
    remedy: 'Check the token, the root certificate and the address of the CA; then raise RIPSTOP_BOOT_TIMEOUT if it is only slow.',
  },
  {
    code: 'RIPSTOP_NOT_CONFIGURED',
    happened: 'Nothing says where configuration comes from.',
    remedy: 'Set RIPSTOP_XDS or RIPSTOP_CONFIG, or start the program with `ripstop run`.',
  },
  {
    code: 'RIPSTOP_NOT_READY',
    happened: 'No configuration came in time, or a request was made before it came; nothing goes past the mesh meanwhile.',
    remedy: 'Await `mesh.ready()` first; when that rejects, check that the control plane runs at the address in the message.',
  },
  {
    code: 'RIPSTOP_CANNOT_LISTEN',
    happened: 'The address of a server cannot be bound; the reason follows.',
    remedy: 'Free the port, name another one with `bindPort`, or set `RIPSTOP_PORTS=auto`.',
  },
  {
    code: 'RIPSTOP_BAD_PROBE',
    happened:
      '`probes` of `mesh.listen` holds something that is no plain path, or the server is one of `node:http2`, which health checks cannot ask.',
    remedy: 'Give paths as the app serves them, without query, fragment or escapes: `/healthz`; of a server of `node:http2` none.',
  },
  {
    code: 'RIPSTOP_PORT_SERVED',
    happened: 'This mesh serves that workload port already.',
    remedy: 'Call `listen` once per workload port.',
  },
  {
    code: 'RIPSTOP_ROOT_CERT_MISSING',
    happened: 'The control plane is reached over TLS, and nothing says whom to trust.',
    remedy: 'Set RIPSTOP_ROOT_CERT to the PEM file that `ripstop serve` or `ripstop dev` names.',
  },
  {
    code: 'RIPSTOP_UNSUPPORTED_APP',
    happened: 'The app is nothing that answers HTTP through Node, or its server listens already, past the mesh.',
    remedy:
      'Give a server that does not listen yet (node:http, node:https, node:http2 without TLS), a request handler, an Express app, or a Fastify instance.',
  },
];

/** Codes of errors that a request or a call ends with. Whatever can be told by a response is a response instead (503 UF, 404 NR, …). */
export const REQUEST_ERRORS: readonly ErrorRow[] = [
  {
    code: 'RIPSTOP_CONNECT',
    happened: 'A connection to an endpoint could not be made; the app sees 503 UF, the access log has the reason.',
    remedy: 'Read UPSTREAM_TRANSPORT_FAILURE_REASON in the access log: address, certificate or timeout.',
  },
  {
    code: 'RIPSTOP_CONNECTION_GONE',
    happened: 'A connection closed before the request was written to it; the request takes another one by itself.',
    remedy: 'Nothing: it is not seen outside.',
  },
  {
    code: 'RIPSTOP_GRPC_OPTIONS',
    happened: "A gRPC client has the mesh's credentials and not its channel options.",
    remedy: 'Pass `createGrpcChannelOptions(mesh.parts)` as the options of the client.',
  },
  {
    code: 'RIPSTOP_GRPC_TARGET',
    happened: 'The target of a gRPC client has no host and port.',
    remedy: 'Write it as `mesh:///<service>:<port>`.',
  },
  {
    code: 'RIPSTOP_REGISTRY_ONLY',
    happened: 'An `https:` URL names a host that no Service and no ServiceEntry has, and outboundTrafficPolicy is REGISTRY_ONLY.',
    remedy: 'Add a ServiceEntry for the host.',
  },
  {
    code: 'RIPSTOP_SAN_MISMATCH',
    happened: "The endpoint's certificate is good and somebody else's; the app sees 503 UF.",
    remedy: 'Check that the endpoint runs under the service account that the message does not list, or name it in subjectAltNames.',
  },
  {
    code: 'RIPSTOP_TIMEOUT',
    happened: "The response had begun and took longer than the route's timeout.",
    remedy: 'Raise `timeout` of the route, or leave it out for streams.',
  },
  {
    code: 'RIPSTOP_TLS',
    happened: 'A TLS handshake of a gRPC connection failed; the call ends UNAVAILABLE with the reason.',
    remedy: 'Read the reason: certificate of the peer, certificate of this workload, or a peer that speaks no HTTP/2.',
  },
  {
    code: 'RIPSTOP_UPSTREAM_RESET',
    happened: 'The response had begun and broke off.',
    remedy: 'Look at the server: it crashed, was stopped without draining, or closed the connection.',
  },
];

/** Codes of warnings of the process. */
export const WARNINGS: readonly ErrorRow[] = [
  {
    code: 'RIPSTOP_ACCESS_LOG',
    happened: 'A file of access logs cannot be written; its lines are lost, requests are served.',
    remedy: 'Give the path of a file in a folder that exists and may be written, or `/dev/stdout`.',
  },
  {
    code: 'RIPSTOP_ADMIN_PORT_TAKEN',
    happened: 'The address of the metrics is taken by another process; the service runs without them.',
    remedy: 'Set RIPSTOP_ADMIN to a free address, to port 0, or to `off`.',
  },
];

/** Codes of findings about YAML, as `ripstop analyze`, the control plane and the live page print them. */
export const FINDINGS: readonly ErrorRow[] = [
  {
    code: 'RIPSTOP_BAD_DURATION',
    happened: 'A duration is none, or shorter than 1 ms.',
    remedy: 'Write 500ms, 2s or 1m30s; leave the field out to switch it off.',
  },
  {
    code: 'RIPSTOP_BAD_REGEX',
    happened: 'A pattern uses look-around or back references, which RE2 does not have.',
    remedy: 'Write it without them; RE2 matches the whole text.',
  },
  {
    code: 'RIPSTOP_BAD_VALUE',
    happened: 'A value is not one of those that the field may have.',
    remedy: 'Give one that the message lists.',
  },
  {
    code: 'RIPSTOP_GATEWAY_STATUS',
    happened:
      'A status condition of an object of the Gateway API would not be True: the message says which one, its reason and what follows.',
    remedy: 'Correct the field that the message names.',
  },
  {
    code: 'RIPSTOP_DUPLICATE_OBJECT',
    happened: 'The same kind, namespace and name stands in two places; the first is used.',
    remedy: 'Remove one of the two.',
  },
  {
    code: 'RIPSTOP_LAST_GOOD',
    happened: 'A document has an error, and the version of it that was good before is in force.',
    remedy: 'Correct the error that stands beside it.',
  },
  { code: 'RIPSTOP_MISSING_FIELD', happened: 'A field that must be there is not.', remedy: 'Add what the message names.' },
  {
    code: 'RIPSTOP_ONE_OF',
    happened: 'Fields that exclude each other are given together.',
    remedy: 'Keep one of those that the message lists.',
  },
  { code: 'RIPSTOP_OUT_OF_RANGE', happened: 'A number is too small or too large.', remedy: 'Give one of the range in the message.' },
  {
    code: 'RIPSTOP_UNENFORCEABLE',
    happened: 'A CUSTOM policy names an external authorizer that cannot be asked, so what the policy selects is denied.',
    remedy: 'Define the provider in `extensionProviders` of the MeshConfig, with a service of the mesh.',
  },
  { code: 'RIPSTOP_UNKNOWN_FIELD', happened: 'A field does not exist.', remedy: 'Write the one that the message suggests, or remove it.' },
  {
    code: 'RIPSTOP_UNKNOWN_KIND',
    happened: 'A group of Istio or of the Gateway API has no such kind.',
    remedy: 'Correct `kind` or `apiVersion`.',
  },
  { code: 'RIPSTOP_UNKNOWN_VERSION', happened: 'The kind has no such version.', remedy: 'Give one that the message lists.' },
  {
    code: 'RIPSTOP_UNSUPPORTED_FIELD',
    happened: 'A field exists in Istio and is not honoured here: a warning when it is left out, an error when that would be unsafe.',
    remedy: 'Do what the message says; all fields: [supported fields](supported-fields.md).',
  },
  {
    code: 'RIPSTOP_UNSUPPORTED_KIND',
    happened: 'A kind exists in Istio and is not honoured here; where it protects workloads, these refuse every request.',
    remedy: 'Remove it or use what the message names.',
  },
  {
    code: 'RIPSTOP_UNVERIFIED_SERVER',
    happened: 'A DestinationRule has insecureSkipVerify: whoever answers is believed, and gets the requests.',
    remedy: 'Name the CA of the server in caCertificates, or a Secret with it in credentialName.',
  },
  {
    code: 'RIPSTOP_WEIGHT_SUM',
    happened: 'A route has several destinations and no weights.',
    remedy: 'Give at least one destination a weight.',
  },
  {
    code: 'RIPSTOP_WRONG_TYPE',
    happened: 'A value has the wrong type, often a number or a boolean where text is meant.',
    remedy: 'Put text in quotes; `on`, `off`, `yes`, `no` are booleans.',
  },
  {
    code: 'RIPSTOP_YAML',
    happened: 'The text is no YAML, or no object with apiVersion, kind and metadata.name.',
    remedy: 'Correct the line that the message names; what the file held before stays in force.',
  },
];

/** Response code details (access log) that Envoy does not have. */
export const DETAILS: readonly ErrorRow[] = [
  {
    code: 'ripstop_unenforceable_filter{…}',
    happened: '403: the configuration asks for a security filter that this version cannot enforce.',
    remedy: 'Remove the filter at its source, or keep the workload on an Envoy sidecar.',
  },
  {
    code: 'ripstop_body_unreadable{…}',
    happened: '403: the named filter is to see the body, and it has a form that cannot be shown (a FormData of another undici).',
    remedy: 'Send a form by fetch, or with the FormData of the undici that sends it.',
  },
  {
    code: 'ripstop_grpc_method',
    happened: 'UNIMPLEMENTED: a call came by another HTTP method than POST.',
    remedy: 'Call gRPC methods by a gRPC client.',
  },
  {
    code: 'ripstop_filter_failed',
    happened: '500: a filter threw; the log names it.',
    remedy: 'Correct the filter, which is one that the app passed to createMesh.',
  },
];
