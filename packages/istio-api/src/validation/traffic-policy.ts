import type {
  ClientTLSSettings,
  ConnectionPoolSettings,
  LoadBalancerSettings,
  OutlierDetection,
  PortTrafficPolicy,
  TrafficPolicy,
} from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { checkLocality, checkZoneAware } from './locality.ts';

/** Parts of a policy; of them at least one has to be there (Istio: validateTrafficPolicy). */
const PARTS = ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls'] as const;
const MORE_PARTS = [...PARTS, 'tunnel', 'proxyProtocol', 'retryBudget', 'portLevelSettings'];

/** `namespace`: of the rule. */
export function checkTrafficPolicy(policy: TrafficPolicy | undefined, path: Path, report: Report, namespace: string): void {
  if (policy === undefined) return;
  const { portLevelSettings = [] } = policy;
  checkGiven(policy, MORE_PARTS, path, report);
  checkParts(policy, path, report, namespace);
  for (const [index, entry] of portLevelSettings.entries()) {
    const at = [...path, 'portLevelSettings', index];
    if (entry.port === undefined) report('RIPSTOP_MISSING_FIELD', 'error', at, 'give the port that this is for');
    checkGiven(entry, PARTS, at, report);
    checkParts(entry, at, report, namespace);
  }
}

function checkGiven(policy: object, parts: readonly string[], path: Path, report: Report): void {
  const given = (value: unknown): boolean => value !== undefined && !(Array.isArray(value) && value.length === 0);
  if (!parts.some((part) => given((policy as Record<string, unknown>)[part])))
    report('RIPSTOP_MISSING_FIELD', 'error', path, `it says nothing: give at least one of ${parts.join(', ')}, or leave it out`);
}

function checkParts(policy: PortTrafficPolicy, path: Path, report: Report, namespace: string): void {
  checkOutlierDetection(policy.outlierDetection, [...path, 'outlierDetection'], report);
  checkConnectionPool(policy.connectionPool, [...path, 'connectionPool'], report);
  checkLoadBalancer(policy.loadBalancer, [...path, 'loadBalancer'], report);
  checkClientTls(policy.tls, [...path, 'tls'], report, namespace);
}

export function checkOutlierDetection(outlier: OutlierDetection | undefined, path: Path, report: Report): void {
  const { consecutiveLocalOriginFailures = 0, splitExternalLocalOriginErrors = false } = outlier ?? {};
  if (consecutiveLocalOriginFailures > 0 && !splitExternalLocalOriginErrors)
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      [...path, 'consecutiveLocalOriginFailures'],
      'failures to connect are counted for themselves only with splitExternalLocalOriginErrors: true',
    );
}

export function checkConnectionPool(pool: ConnectionPoolSettings | undefined, path: Path, report: Report): void {
  if (pool === undefined) return;
  const { tcp, http } = pool;
  if (tcp === undefined && http === undefined)
    report('RIPSTOP_MISSING_FIELD', 'error', path, 'it limits nothing: give http or tcp, or leave it out');
  if (http?.h2UpgradePolicy === 'UPGRADE' && http.useClientProtocol === true)
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      [...path, 'http', 'useClientProtocol'],
      'h2UpgradePolicy UPGRADE calls by HTTP/2 whatever the client speaks: remove one of them',
    );
  const { http2KeepAlive: keepAlive } = http ?? {};
  for (const field of ['interval', 'timeout'] as const) {
    if (keepAlive !== undefined && keepAlive[field] === undefined)
      report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'http', 'http2KeepAlive'], `give the ${field}`);
  }
}

/** Envoy's tables have at most so many places. */
const MAX_TABLE = 5_000_011;

function checkLoadBalancer(settings: LoadBalancerSettings | undefined, path: Path, report: Report): void {
  const { consistentHash: hash, localityLbSetting, zoneAwareLbSetting, warmup } = settings ?? {};
  const bad = (field: Path, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, ...field], message);
  if (hash?.httpCookie?.name === '') bad(['consistentHash', 'httpCookie', 'name'], 'a cookie needs a name');
  checkAttributes(hash?.httpCookie?.attributes, [...path, 'consistentHash', 'httpCookie', 'attributes'], report);
  if ((hash?.minimumRingSize ?? 0) !== 0 && (hash?.ringHash ?? hash?.maglev) !== undefined)
    bad(['consistentHash', 'minimumRingSize'], 'give ringHash.minimumRingSize or maglev, and not this older field beside it');
  if (hash?.maglev !== undefined) {
    const { tableSize = 0 } = hash.maglev;
    if (!isPrime(tableSize) || tableSize >= MAX_TABLE)
      bad(['consistentHash', 'maglev', 'tableSize'], `${tableSize} is no size of a table: give a prime below ${MAX_TABLE}, such as 65537`);
  }
  if (localityLbSetting !== undefined && zoneAwareLbSetting !== undefined)
    bad(['zoneAwareLbSetting'], 'give localityLbSetting or zoneAwareLbSetting, not both');
  checkLocality(localityLbSetting, [...path, 'localityLbSetting'], report);
  checkZoneAware(zoneAwareLbSetting, [...path, 'zoneAwareLbSetting'], report);
  if (warmup?.aggression === 0) bad(['warmup', 'aggression'], 'it must be above 0: 1 is a straight line');
}

function checkAttributes(attributes: readonly { readonly name: string }[] | undefined, path: Path, report: Report): void {
  const seen = new Set<string>();
  for (const [index, { name }] of (attributes ?? []).entries()) {
    if (name === '' || seen.has(name))
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        [...path, index, 'name'],
        name === '' ? 'an attribute needs a name' : `${name} stands here twice: remove one`,
      );
    seen.add(name);
  }
}

function isPrime(number: number): boolean {
  if (number === 2 || number === 3) return true;
  if (number < 1 || number % 2 === 0) return false;
  for (let factor = 3; factor * factor <= number; factor += 2) if (number % factor === 0) return false;
  return true;
}

/** Istio: ValidateTLS. `namespace`: of the object; '' of the mesh, which has none. */
export function checkClientTls(tls: ClientTLSSettings | undefined, path: Path, report: Report, namespace: string): void {
  checkTrustName(tls?.credentialName, [...path, 'credentialName'], report, namespace);
  if (tls?.mode !== 'MUTUAL' && tls?.mode !== 'SIMPLE') return;
  const { credentialName = '', insecureSkipVerify } = tls;
  if (credentialName.startsWith('sds://'))
    report(
      'RIPSTOP_UNSUPPORTED_FIELD',
      'error',
      [...path, 'credentialName'],
      'certificates come from Secrets, not from other servers: name a Secret',
    );
  if (insecureSkipVerify === true) checkUnverified(tls, path, report);
  if (credentialName !== '') {
    for (const field of ['clientCertificate', 'privateKey', 'caCertificates', 'caCrl'] as const)
      if ((tls[field] ?? '') !== '')
        report('RIPSTOP_BAD_VALUE', 'error', [...path, field], `certificates come from ${credentialName} already: remove one of them`);
    return;
  }
  for (const field of ['clientCertificate', 'privateKey'] as const) {
    if (tls.mode === 'MUTUAL' && (tls[field] ?? '') === '')
      report('RIPSTOP_MISSING_FIELD', 'error', path, `mode MUTUAL needs ${field}, a file on the client's machine, or credentialName`);
  }
}

/** Roots of a ConfigMap are those of the object's own namespace. */
function checkTrustName(name = '', path: Path, report: Report, namespace: string): void {
  if (!name.startsWith(CONFIG_MAP)) return;
  const [of, map = ''] = name.slice(CONFIG_MAP.length).split('/');
  if (of !== '' && of === namespace && map !== '') return;
  const where = namespace === '' ? 'a mesh configuration has no ConfigMaps: name a file' : `write ${CONFIG_MAP}${namespace}/<name>`;
  report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(name)} is no ConfigMap of this namespace: ${where}`);
}

const CONFIG_MAP = 'configmap://';

function checkUnverified(tls: ClientTLSSettings, path: Path, report: Report): void {
  const fields =
    tls.mode === 'SIMPLE'
      ? (['caCertificates', 'credentialName', 'subjectAltNames'] as const)
      : (['caCertificates', 'subjectAltNames'] as const);
  for (const field of fields)
    if (tls[field] !== undefined && tls[field] !== '')
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        [...path, field],
        'it says who is believed, and insecureSkipVerify believes anybody: remove one of them',
      );
  report('RIPSTOP_UNVERIFIED_SERVER', 'warning', [...path, 'insecureSkipVerify'], 'any server is believed: give caCertificates instead');
}
