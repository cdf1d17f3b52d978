import { X509Certificate } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { routedClaim } from './routed-claim.ts';
import type { MeshConfigSpec, ServiceSpec } from './types/core.ts';
import type {
  GatewayServer,
  GatewaySpec,
  HTTPMatchRequest,
  ServerTLSSettings,
  ServiceEntrySpec,
  VirtualServiceSpec,
} from './types/networking.ts';
import type { Path, Report } from './validate.ts';

/*
 * What depends on values, not on fields: a field that works, with a value that does not. Each is an error when going on without it
 * would be unsafe, else a warning.
 */

const UNSUPPORTED = 'RIPSTOP_UNSUPPORTED_FIELD';
/** Protocols of a Gateway's port that are opened without TLS (control-plane: translate/gateway-servers.ts). */
const PLAIN = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTP_PROXY'];
/** Those whose bytes are carried; with or without TLS. */
const BYTES = ['TCP', 'TLS', 'MONGO', 'REDIS', 'MYSQL'];

export function checkGateway(spec: GatewaySpec, report: Report): void {
  for (const [index, server] of (spec.servers ?? []).entries()) checkServer(server, ['spec', 'servers', index], report);
}

function checkServer({ port, tls }: GatewayServer, path: Path, report: Report): void {
  const protocol = port.protocol.toUpperCase();
  if (protocol === 'HTTPS' || BYTES.includes(protocol)) {
    if (tls !== undefined && protocol !== 'HTTPS' && protocol !== 'TLS')
      report('RIPSTOP_BAD_VALUE', 'error', [...path, 'tls'], `a server of protocol ${port.protocol} is plaintext: give it protocol TLS`);
    else if (tls !== undefined) checkServerTls(tls, [...path, 'tls'], report);
    else if (protocol === 'HTTPS' || protocol === 'TLS')
      report('RIPSTOP_MISSING_FIELD', 'error', path, `a server of protocol ${protocol} needs tls: give a mode and a certificate`);
    return;
  }
  if (!PLAIN.includes(protocol)) {
    report(
      UNSUPPORTED,
      'warning',
      [...path, 'port', 'protocol'],
      `port ${port.number} is not opened by our gateway: it does not serve ${port.protocol}, only ${[...PLAIN, 'HTTPS', ...BYTES].join(', ')}`,
    );
    return;
  }
  const encrypts = Object.keys(tls ?? {}).some((field) => field !== 'httpsRedirect');
  if (encrypts)
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      [...path, 'tls'],
      `a server of protocol ${port.protocol} is plaintext: give it protocol HTTPS, or only tls.httpsRedirect`,
    );
}

/** What a mode needs, as istiod demands it. */
function checkServerTls(tls: ServerTLSSettings, path: Path, report: Report): void {
  const { mode = 'PASSTHROUGH' } = tls;
  const missing = (message: string): void => report('RIPSTOP_MISSING_FIELD', 'error', path, message);
  if (mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH') return;
  // As everywhere in protobuf, an empty text is none.
  const { credentialName = '', credentialNames = [], tlsCertificates = [], caCertificates = '', caCertCredentialName = '' } = tls;
  const named = credentialName !== '' || credentialNames.length > 0;
  // Where both are given, half of a pair beside the list says nothing; a whole one is refused as a second source.
  const own = [tls.serverCertificate, tls.privateKey].some((file = '') => file !== '') ? [tls] : [];
  const files = tlsCertificates.length > 0 && mode !== 'ISTIO_MUTUAL' ? tlsCertificates : [...own, ...tlsCertificates];
  if (mode === 'ISTIO_MUTUAL') {
    if (named || files.length > 0 || caCertificates !== '' || caCertCredentialName !== '')
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        path,
        'mode ISTIO_MUTUAL shows the certificate of the mesh: leave certificates and credentialName out',
      );
    return;
  }
  if (!named && files.length === 0) missing(`mode ${mode} needs credentialName, or serverCertificate and privateKey`);
  if (!named && files.some(({ serverCertificate = '', privateKey = '' }) => serverCertificate === '' || privateKey === ''))
    missing('serverCertificate and privateKey belong together: give both');
  // Those of a Secret, else of a file: istiod takes caCertCredentialName beside credentialName only.
  if (mode !== 'SIMPLE' && !named && caCertificates === '') missing(`mode ${mode} needs caCertificates: who may call is decided by them`);
}

/** Routes of bytes for `mesh`: calls of processes are requests, and what else they send goes its own way. */
export function checkStreamRoutes({ tls = [], tcp = [], gateways = [] }: VirtualServiceSpec, report: Report): void {
  const forMesh = gateways.length === 0 || gateways.includes('mesh');
  for (const [field, routes] of [
    ['tls', tls],
    ['tcp', tcp],
  ] as const) {
    for (const [index, { match = [] }] of routes.entries()) {
      const named = match.filter((entry) => entry.gateways !== undefined);
      const applies = match.length > named.length || match.length === 0 ? forMesh : named.some((entry) => entry.gateways!.includes('mesh'));
      if (applies)
        report(
          UNSUPPORTED,
          'warning',
          ['spec', field, index],
          'in the mesh this route has no effect on our own processes: they carry HTTP and gRPC, what else they send goes its own way; Envoys and gateways follow it',
        );
    }
  }
}

export function checkService(spec: ServiceSpec, report: Report): void {
  if (spec.type !== 'ExternalName' || spec.externalName?.includes('.svc.') === true) return;
  report(
    UNSUPPORTED,
    'warning',
    ['spec', 'type'],
    `${JSON.stringify(spec.externalName ?? '')} is no Service of the mesh, so this name cannot be called: write a ServiceEntry with resolution DNS`,
  );
}

/** What istiod's own validation does not look at, and that would be lost unseen. */
export function checkMeshConfigSupport(spec: MeshConfigSpec, report: Report): void {
  checkRetryOn(spec.defaultHttpRetryPolicy?.retryOn, ['spec', 'defaultHttpRetryPolicy', 'retryOn'], report);
  for (const [index, { pem = '' }] of (spec.caCertificates ?? []).entries())
    if (pem !== '' && !areCertificates(pem))
      report('RIPSTOP_BAD_VALUE', 'error', ['spec', 'caCertificates', index, 'pem'], 'this is no list of certificates in PEM');
  const { accessLogEncoding, accessLogFormat = '' } = spec;
  if (accessLogEncoding === 'JSON' && accessLogFormat !== '' && !isJsonObject(accessLogFormat))
    report(
      'RIPSTOP_BAD_VALUE',
      'warning',
      ['spec', 'accessLogFormat'],
      'this is no JSON object, so the default format is used: write {"name": "%OPERATOR%"}',
    );
}

function areCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    return false;
  }
  return blocks.length > 0;
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** A ServiceEntry whose hosts are dialled as the app names them has no say in ports; address ranges are never asked for. */
export function checkServiceEntrySupport(spec: ServiceEntrySpec, report: Report): void {
  const { resolution = 'NONE' } = spec;
  for (const [index, { number, targetPort }] of (spec.ports ?? []).entries()) {
    if (targetPort !== undefined && targetPort !== number && (resolution === 'NONE' || resolution === 'DYNAMIC_DNS'))
      report(
        UNSUPPORTED,
        'warning',
        ['spec', 'ports', index, 'targetPort'],
        `with resolution ${resolution} the port of the URL is dialled`,
      );
  }
  for (const [index, address] of (spec.addresses ?? []).entries()) {
    if (address.includes('/'))
      report(UNSUPPORTED, 'warning', ['spec', 'addresses', index], 'an address range is not matched: clients are told apart by host name');
  }
}

/** Conditions of `retries.retryOn` that are known and do nothing here. */
const RETRY_WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  'retriable-headers': 'no header can be named in a VirtualService',
  'http3-post-connect-failure': 'HTTP/3 is not spoken',
};
const RETRY_CONDITIONS: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

/** A status that Node knows and istiod does not. */
const UNKNOWN_TO_GO = '509';

/** istiod refuses unknown words, and spaces around them; Envoy would drop them, and a misspelled policy would retry nothing. */
export function checkRetryOn(retryOn: string | undefined, path: Path, report: Report): void {
  if (retryOn === undefined || retryOn === '') return;
  for (const word of retryOn.split(',')) {
    if (RETRY_CONDITIONS.has(word) || (word !== UNKNOWN_TO_GO && STATUS_CODES[word] !== undefined)) continue;
    const effect = RETRY_WITHOUT_EFFECT[word];
    if (effect !== undefined) report(UNSUPPORTED, 'warning', path, `${word} has no effect: ${effect}`);
    else
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        path,
        `${JSON.stringify(word)} is no condition: give a status code or one of ${[...RETRY_CONDITIONS].join(', ')}`,
      );
  }
}

/** What looks like a claim and is none would be a header that nobody sends, or anybody. */
export function checkClaims(match: HTTPMatchRequest, path: Path, report: Report): void {
  for (const field of ['headers', 'withoutHeaders'] as const) {
    for (const name of Object.keys(match[field] ?? {})) {
      if (name.toLowerCase().startsWith('@request.auth.') && routedClaim(name) === undefined)
        report(
          'RIPSTOP_BAD_VALUE',
          'error',
          [...path, field, name],
          'this names no claim; write `@request.auth.claims.group` or, for a claim within another, `@request.auth.claims[realm][roles]`',
        );
    }
  }
}
