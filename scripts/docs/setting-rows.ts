/** One row of docs/reference/settings.md. */
export interface SettingRow {
  /** Of `createMesh({ … })`; undefined = environment only. */
  readonly option?: string;
  readonly variables: readonly string[];
  readonly meaning: string;
  readonly fallback: string;
}

/** In the order of the page: who, where, how. The test compares the set with packages/node/src/settings.ts. */
export const SETTINGS: readonly SettingRow[] = [
  {
    option: 'service',
    variables: ['RIPSTOP_SERVICE'],
    meaning: 'service name; becomes the `app` label',
    fallback: 'name of package.json without its scope, else `app`',
  },
  { option: 'version', variables: ['RIPSTOP_VERSION'], meaning: 'becomes the `version` label', fallback: 'none' },
  { option: 'namespace', variables: ['RIPSTOP_NAMESPACE'], meaning: 'namespace', fallback: '`default`' },
  {
    option: 'serviceAccount',
    variables: ['RIPSTOP_SERVICE_ACCOUNT'],
    meaning: 'identity in certificates and policies',
    fallback: 'the service',
  },
  { option: 'labels', variables: ['RIPSTOP_LABELS'], meaning: 'further labels, `name=value,name=value`', fallback: 'none' },
  { option: 'trustDomain', variables: ['RIPSTOP_TRUST_DOMAIN'], meaning: 'trust domain of the identity', fallback: '`cluster.local`' },
  {
    option: 'xds',
    variables: ['RIPSTOP_XDS'],
    meaning:
      'control plane: `host:port`, `grpc://host:port` (plaintext), `grpcs://host:port` (TLS); without a scheme TLS, except on port 15010',
    fallback: 'none',
  },
  {
    option: 'ca',
    variables: ['RIPSTOP_CA'],
    meaning: 'certificate authority, same form, TLS without a scheme',
    fallback: 'the control plane when it is reached over TLS',
  },
  { option: 'token', variables: ['RIPSTOP_TOKEN'], meaning: 'join token; without one there is no identity', fallback: 'none' },
  {
    option: 'tokenFile',
    variables: ['RIPSTOP_TOKEN_FILE'],
    meaning: 'file of the join token, read again at each use; beats `token`',
    fallback: 'none',
  },
  {
    option: 'rootCertificatePem',
    variables: ['RIPSTOP_ROOT_CERT'],
    meaning: "root that signed the control plane's certificate: PEM text as option, file name as variable",
    fallback: 'none; needed with TLS',
  },
  {
    option: 'config',
    variables: ['RIPSTOP_CONFIG'],
    meaning: '`file:<folder>`: translate a folder of YAML in this process, without a control plane; beats `xds`',
    fallback: 'none',
  },
  {
    option: 'nodeName',
    variables: ['RIPSTOP_NODE_NAME'],
    meaning:
      'the machine that it runs on, in Kubernetes `spec.nodeName`: for Services with `internalTrafficPolicy: Local` and for failover by host name',
    fallback: 'none',
  },
  { option: 'bind', variables: ['RIPSTOP_BIND'], meaning: 'address to listen on', fallback: '`127.0.0.1`' },
  {
    option: 'ports',
    variables: ['RIPSTOP_PORTS'],
    meaning: '`fixed`: listen on the workload port; `auto`: on any free port, the workload port stays as a name',
    fallback: '`fixed`',
  },
  {
    option: 'admin',
    variables: ['RIPSTOP_ADMIN'],
    meaning:
      '`host:port` or port of `/stats/prometheus` and `/ready`; port 0 takes a free one, `off` none. A control plane on another machine asks there for the figures of the live page when it is `0.0.0.0:<port>` or the machine’s own address',
    fallback: '`127.0.0.1:15020`',
  },
  {
    option: 'cacheDir',
    variables: ['RIPSTOP_CACHE_DIR'],
    meaning: 'folder of the last-known-good configuration (never keys); with it a service starts while the control plane is away',
    fallback: 'none: no cache',
  },
  {
    option: 'bootTimeoutMs',
    variables: ['RIPSTOP_BOOT_TIMEOUT'],
    meaning: 'how long `ready()` waits: milliseconds as option, seconds as variable',
    fallback: '10 s',
  },
  {
    option: 'certificateTtlSeconds',
    variables: ['RIPSTOP_CERT_TTL'],
    meaning: 'lifetime of certificates asked of the CA, seconds; renewed at half of it',
    fallback: "the CA's: 24 h",
  },
  { option: 'role', variables: [], meaning: '`router` for gateways', fallback: '`sidecar`' },
  {
    option: 'pathBinding',
    variables: ['RIPSTOP_PATH_BINDING'],
    meaning:
      '`router`: where a policy denies by path, it denies every spelling that the router of the app takes for that path; `istio`: paths are normalised text ([differences](differences.md))',
    fallback: '`router`',
  },
  {
    option: 'headerMatch',
    variables: ['RIPSTOP_HEADER_MATCH'],
    meaning:
      '`strict`: policies read repeated headers, hosts, addresses and identities so that more is denied; `envoy`: as in a sidecar ([differences](differences.md))',
    fallback: '`strict`',
  },
  {
    option: 'localCluster',
    variables: ['RIPSTOP_LOCAL_CLUSTER'],
    meaning:
      'name of the cluster that this process is itself a host of, as `local_cluster_name` of an Envoy: for zone aware routing, together with the label `topology.istio.io/locality`',
    fallback: 'none: zones are not looked at',
  },
  {
    option: 'decisions',
    variables: ['RIPSTOP_DECISIONS', 'RIPSTOP_DECISION_ASKERS'],
    meaning:
      'which requests keep a decision record: `{ sample, askers, keep, onDecision }`; as variables the share of requests (0 to 1) and who may ask by header, separated by commas ([guide](../guides/explain.md))',
    fallback: 'none, and nothing is spent on them',
  },
  {
    option: 'log',
    variables: ['RIPSTOP_LOG'],
    meaning: 'function that gets each line; any value of the variable prints to standard error',
    fallback: 'off',
  },
];

/** Of createMesh besides MeshOptions, of listen and of close (packages/node/src/mesh.ts). */
export const OTHER_OPTIONS: readonly {
  readonly of: string;
  readonly type: string;
  readonly option: string;
  readonly meaning: string;
  readonly fallback: string;
}[] = [
  {
    of: 'createMesh',
    type: 'CreateMeshOptions',
    option: 'filters',
    meaning: 'filters of your own, joined to the standard ones',
    fallback: 'none',
  },
  {
    of: 'mesh.listen',
    type: 'ListenOptions',
    option: 'name',
    meaning: 'port name, for Services that name their targetPort',
    fallback: '`http`',
  },
  {
    of: 'mesh.listen',
    type: 'ListenOptions',
    option: 'bindPort',
    meaning: 'port to bind',
    fallback: 'the workload port, or a free one with `ports: auto`',
  },
  {
    of: 'mesh.listen',
    type: 'ListenOptions',
    option: 'router',
    meaning: 'how the router of the app reads paths: `{ ignoreCase, ignoreTrailingSlash, mergeSlashes, semicolons }`',
    fallback: 'known for Express and Fastify; otherwise paths are as they are',
  },
  {
    of: 'mesh.listen',
    type: 'ListenOptions',
    option: 'probes',
    meaning: 'paths that health checks of the platform GET by plaintext, past every policy, also on a STRICT port',
    fallback: 'none',
  },
  { of: 'mesh.close', type: 'CloseOptions', option: 'drainMs', meaning: 'time for requests in flight, ms', fallback: '5,000' },
];

/** Of other programs. */
export const OTHER_VARIABLES: readonly { readonly variable: string; readonly meaning: string }[] = [
  { variable: 'RIPSTOP_DEBUG', meaning: '`1`: the `ripstop` command prints stacks of errors' },
];
