// Generates packages/xds-api from the .proto files that @grpc/grpc-js-xds ships (envoy, xds, googleapis, validate), protobufjs
// (google/protobuf is built into buf) and our own ca.proto, then bundles it. Nothing generated is committed.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAscii } from './ascii.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const pkg = join(root, 'packages/xds-api');
const work = join(pkg, '.proto');
const generated = join(pkg, 'src/generated');
const deps = join(root, 'node_modules/@grpc/grpc-js-xds/deps');

const EXT = 'envoy/extensions';
/** Everything that Ripstop reads or writes; what these import comes along. */
const ROOTS = [
  'envoy/service/discovery/v3/ads.proto',
  'envoy/service/discovery/v3/discovery.proto',
  'envoy/service/status/v3/csds.proto',
  'envoy/service/load_stats/v3/lrs.proto',
  'envoy/service/auth/v3/external_auth.proto',
  'envoy/service/ratelimit/v3/rls.proto',
  'envoy/service/secret/v3/sds.proto',
  'envoy/config/listener/v3/listener.proto',
  'envoy/config/route/v3/route.proto',
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/config/rbac/v3/rbac.proto',
  'envoy/config/trace/v3/datadog.proto',
  'envoy/config/trace/v3/opentelemetry.proto',
  'envoy/config/trace/v3/skywalking.proto',
  'envoy/config/trace/v3/zipkin.proto',
  'envoy/admin/v3/config_dump.proto',
  ...[
    'access_loggers/file',
    'access_loggers/filters/cel/v3/cel.proto',
    'access_loggers/grpc/v3/als.proto',
    'access_loggers/open_telemetry/v3/logs_service.proto',
    'clusters/aggregate/v3/cluster.proto',
    'compression/brotli/compressor/v3/brotli.proto',
    'compression/gzip/compressor/v3/gzip.proto',
    'compression/zstd/compressor/v3/zstd.proto',
    'clusters/dynamic_forward_proxy/v3/cluster.proto',
    'formatter/req_without_query',
    'filters/http/buffer',
    'filters/http/compressor',
    'filters/http/cors',
    'filters/http/dynamic_forward_proxy',
    'filters/http/ext_authz',
    'filters/http/fault',
    'filters/http/grpc_stats/v3/config.proto',
    'filters/http/header_mutation',
    'filters/http/jwt_authn/v3/config.proto',
    'filters/http/local_ratelimit/v3/local_rate_limit.proto',
    'filters/http/lua',
    'filters/http/on_demand',
    'filters/http/ratelimit/v3/rate_limit.proto',
    'filters/http/rbac',
    'filters/http/router',
    'filters/http/set_filter_state',
    'filters/http/stateful_session',
    'filters/http/wasm',
    'filters/listener/http_inspector',
    'filters/listener/original_dst',
    'filters/listener/proxy_protocol',
    'filters/listener/tls_inspector',
    'filters/network/connection_limit',
    'filters/network/ext_authz',
    'filters/network/http_connection_manager',
    'filters/network/rbac',
    'filters/network/set_filter_state',
    'filters/network/sni_dynamic_forward_proxy',
    'filters/network/tcp_proxy',
    'filters/network/wasm',
    'filters/network/local_ratelimit/v3/local_rate_limit.proto',
    'http/stateful_session/cookie',
    'http/stateful_session/header',
    'load_balancing_policies/client_side_weighted_round_robin',
    'load_balancing_policies/cluster_provided',
    'load_balancing_policies/least_request',
    'load_balancing_policies/maglev',
    'load_balancing_policies/pick_first',
    'load_balancing_policies/random',
    'load_balancing_policies/ring_hash',
    'load_balancing_policies/round_robin',
    'load_balancing_policies/subset',
    'load_balancing_policies/wrr_locality',
    'network/dns_resolver/cares/v3/cares_dns_resolver.proto',
    'path/match/uri_template/v3/uri_template_match.proto',
    'path/rewrite/uri_template/v3/uri_template_rewrite.proto',
    'request_id/uuid',
    'retry/host/previous_hosts',
    'retry/host/omit_canary_hosts',
    'retry/host/omit_host_metadata/v3/omit_host_metadata_config.proto',
    'retry/priority/previous_priorities/v3/previous_priorities_config.proto',
    'transport_sockets/raw_buffer',
    'transport_sockets/tls',
    'transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.proto',
    'transport_sockets/internal_upstream',
    'upstreams/http/v3/http_protocol_options.proto',
  ].map((entry) => (entry.endsWith('.proto') ? `${EXT}/${entry}` : `${EXT}/${entry}/v3/${entry.split('/').at(-1)}.proto`)),
  'udpa/type/v1/typed_struct.proto',
  'xds/type/v3/typed_struct.proto',
  'istio/v1/auth/ca.proto',
  'istio/stats.proto',
];

/** Public names where two protos use one name: `package.Message` → exported name. The first of a name keeps it. */
const ALIASES = {
  'envoy.extensions.filters.http.rbac.v3.RBAC': 'HttpRbac',
  'envoy.extensions.filters.http.rbac.v3.RBACPerRoute': 'HttpRbacPerRoute',
  'envoy.extensions.filters.network.rbac.v3.RBAC': 'NetworkRbac',
  'envoy.extensions.filters.http.on_demand.v3.PerRouteConfig': 'OnDemandPerRoute',
  'envoy.config.rbac.v3.RBAC': 'RbacRules',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': 'ClusterHttpProtocolOptions',
  'envoy.extensions.filters.network.ext_authz.v3.ExtAuthz': 'NetworkExtAuthz',
  'envoy.extensions.filters.http.cors.v3.CorsPolicy': 'CorsFilterPolicy',
  'envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit': 'NetworkLocalRateLimit',
  'envoy.extensions.filters.http.ratelimit.v3.RateLimit': 'HttpRateLimit',
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation': 'HttpHeaderMutation',
  'envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig': 'JwtAuthnPerRouteConfig',
  'envoy.extensions.filters.http.wasm.v3.Wasm': 'HttpWasm',
  'envoy.extensions.filters.network.wasm.v3.Wasm': 'NetworkWasm',
  'envoy.extensions.wasm.v3.PluginConfig': 'WasmPluginConfig',
  'envoy.extensions.wasm.v3.VmConfig': 'WasmVmConfig',
  'xds.type.v3.TypedStruct': 'XdsTypedStruct',
  'istio.PluginConfig': 'IstioStatsConfig',
  'istio.MetricConfig': 'IstioMetricConfig',
  'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter': 'CelAccessLogFilter',
};

function copyProtos() {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  for (const [from, sub] of [
    ['envoy-api', 'envoy'],
    ['xds', 'xds'],
    ['xds', 'udpa'],
    ['googleapis', 'google'],
    ['protoc-gen-validate', 'validate'],
  ]) {
    cpSync(join(deps, from, sub), join(work, sub), { recursive: true, filter: (path) => !/\.(go|java|py|h|cc)$/.test(path) });
  }
  cpSync(join(pkg, 'proto'), work, { recursive: true });
  // buf brings google/protobuf itself; a second copy would be ambiguous.
  rmSync(join(work, 'google/protobuf'), { recursive: true, force: true });
  // The shipped validate.proto is older than the Envoy protos beside it.
  const validate = join(work, 'validate/validate.proto');
  const text = readFileSync(validate, 'utf8');
  if (!text.includes('ignore_empty = 26')) {
    writeFileSync(validate, text.replace(/message StringRules \{/, 'message StringRules {\n  optional bool ignore_empty = 26;'));
  }
}

/** Fields of Envoy 1.40 that the shipped protos are too old for. */
function addNewerFields() {
  const file = join(work, 'envoy/config/route/v3/route_components.proto');
  const text = readFileSync(file, 'utf8');
  const from = /(oneof random_value_specifier \{[\s\S]*?\];\r?\n)/;
  if (text.includes('use_hash_policy')) return;
  if (!from.test(text)) throw new Error('route_components.proto is not of the expected form: see addNewerFields');
  writeFileSync(file, text.replace(from, '$1    google.protobuf.BoolValue use_hash_policy = 5;\n'));
  const policy = join(work, EXT, 'load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin.proto');
  const weighted = readFileSync(policy, 'utf8');
  const names = '  repeated string metric_names_for_computing_utilization = 7;\n}';
  writeFileSync(policy, weighted.replace(/\}\s*$/, `${names}\n`));
  const wasm = join(work, EXT, 'wasm/v3/wasm.proto');
  const plugin = readFileSync(wasm, 'utf8');
  const last = '  CapabilityRestrictionConfig capability_restriction_config = 6;';
  if (!plugin.includes(last)) throw new Error('wasm.proto is not of the expected form: see addNewerFields');
  const policies = '\nenum FailurePolicy {\n  UNSPECIFIED = 0;\n  FAIL_RELOAD = 1;\n  FAIL_CLOSED = 2;\n  FAIL_OPEN = 3;\n}\n';
  writeFileSync(wasm, `${plugin.replace(last, `${last}\n  FailurePolicy failure_policy = 7;\n`)}${policies}`);
}

function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', maxBuffer: 1 << 26 });
  if (result.status !== 0) {
    process.stderr.write(`${command} ${args.slice(0, 3).join(' ')} failed\n${result.stdout}${result.stderr}${result.error ?? ''}\n`);
    process.exit(1);
  }
}

function generate() {
  const missing = ROOTS.filter((file) => !existsSync(join(work, file)));
  if (missing.length > 0) throw new Error(`protos not found: ${missing.join(', ')}`);
  writeFileSync(join(work, 'buf.yaml'), 'version: v2\nmodules:\n  - path: .\n');
  const opt = [
    'esModuleInterop=true',
    'importSuffix=.ts',
    'oneof=unions-value',
    'forceLong=number',
    'outputTypeRegistry=true',
    'outputTypeAnnotations=static-only',
    'unknownFields=false',
    'enumsAsLiterals=true',
    'outputServices=none',
    'useExactTypes=false',
    'outputPartialMethods=true',
    'outputJsonMethods=true',
    'exportCommonSymbols=false',
    'removeEnumPrefix=false',
    'emitDefaultValues=json-methods',
  ];
  writeFileSync(
    join(work, 'buf.gen.yaml'),
    JSON.stringify({
      version: 'v2',
      plugins: [
        {
          local: join(root, 'node_modules/.bin/protoc-gen-ts_proto'),
          out: generated,
          opt,
          strategy: 'all',
          include_imports: true,
          include_wkt: true,
        },
      ],
    }),
  );
  rmSync(generated, { recursive: true, force: true });
  run(join(root, 'node_modules/.bin/buf'), ['generate', '.', ...ROOTS.flatMap((file) => ['--path', file])], work);
}

/** The codecs do not know proto field names; the JSON writer reads them from the descriptors, which only it loads. */
function writeDescriptors() {
  const file = join(work, 'descriptors.binpb');
  const paths = ROOTS.flatMap((path) => ['--path', path]);
  run(join(root, 'node_modules/.bin/buf'), ['build', '.', '--exclude-source-info', '--as-file-descriptor-set', '-o', file, ...paths], work);
  const text = `/** A FileDescriptorSet, base64. Written by scripts/generate-xds.mjs. */\nexport const DESCRIPTORS: string =\n  '${readFileSync(file).toString('base64')}';\n`;
  writeFileSync(join(generated, 'descriptors.ts'), text);
}

const walk = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(dir, entry.name)) : entry.name.endsWith('.ts') ? [join(dir, entry.name)] : [],
  );

/** One flat index: config protos first, so that they keep the plain names; a later twin is exported as <Folder><Name>. */
function writeIndex() {
  const rank = (file) =>
    /envoy\/config\//.test(file)
      ? 0
      : /envoy\/service\//.test(file)
        ? 1
        : /envoy\/extensions\//.test(file)
          ? 2
          : /istio\//.test(file)
            ? 3
            : 4;
  const files = walk(generated)
    .filter((file) => !/(typeRegistry|generated\/descriptors)\.ts$/.test(file))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const taken = new Set();
  const lines = ['// Written by scripts/generate-xds.mjs.', "export { messageTypeRegistry } from './typeRegistry.ts';"];
  for (const file of files) {
    const path = relative(generated, file);
    if (/^(google\/api|validate|udpa\/annotations|xds\/annotations|envoy\/annotations)\//.test(path)) continue;
    const text = readFileSync(file, 'utf8');
    const protoPackage = dirname(path).replaceAll('/', '.');
    const names = [...new Set([...text.matchAll(/^export (?:interface|const|type|function) (\w+)/gm)].map((match) => match[1]))];
    const exported = [];
    for (const name of names) {
      if (['protobufPackage', 'MessageFns', 'DeepPartial', 'Exact'].includes(name)) continue;
      let alias = ALIASES[`${protoPackage}.${name}`] ?? name;
      if (taken.has(alias)) {
        const folder =
          path
            .split('/')
            .filter((part) => !/^v\d/.test(part))
            .at(-2) ?? '';
        alias = `${folder.replace(/(^|_)(\w)/g, (_all, _sep, letter) => letter.toUpperCase())}${name}`;
      }
      if (taken.has(alias)) continue;
      taken.add(alias);
      exported.push(alias === name ? name : `${name} as ${alias}`);
    }
    if (exported.length > 0) lines.push(`export { ${exported.join(', ')} } from './${path}';`);
  }
  writeFileSync(join(generated, 'index.ts'), `${lines.join('\n')}\n`);
}

/** ts-proto leaves this one declaration without the type that isolated declarations want. */
function annotateRegistry() {
  const file = join(generated, 'typeRegistry.ts');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('messageTypeRegistry = new Map', 'messageTypeRegistry: Map<string, MessageType> = new Map'));
}

/** Protobuf JSON writes a Duration as "1.500s"; the generated reader knows only its two fields. */
function readDurationText() {
  const file = join(generated, 'google/protobuf/duration.ts');
  const text = readFileSync(file, 'utf8');
  const from = '  fromJSON(object: any): Duration {\n';
  const parse = `    if (typeof object === 'string') {
      const match = /^(-?)(\\d+)(?:\\.(\\d{1,9}))?s$/.exec(object);
      if (match === null) throw new globalThis.Error(\`not a duration: \${object}\`);
      const sign = match[1] === '-' ? -1 : 1;
      return { seconds: sign * globalThis.Number(match[2]), nanos: sign * globalThis.Number((match[3] ?? '').padEnd(9, '0')) };
    }
`;
  if (!text.includes(from)) throw new Error('duration.ts is not of the expected form: see readDurationText');
  writeFileSync(file, text.replace(from, from + parse));
}

copyProtos();
addNewerFields();
generate();
annotateRegistry();
readDurationText();
writeDescriptors();
writeIndex();
run(join(root, 'node_modules/.bin/tsdown'), ['--config', 'tsdown.config.ts'], pkg);
writeAscii(join(pkg, 'dist'));
