import type {
  ConnectionPoolSettings,
  LocalityLoadBalancerSetting,
  OutlierDetection,
  ZoneAwareLoadBalancerSetting,
} from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { parseDuration } from '../value-checks.ts';
import { checkLocality, checkZoneAware } from './locality.ts';
import { checkMeshProxyConfig, checkPortNumber, type ProxyConfigFields } from './mesh-proxy-config.ts';
import { isDnsLabel, wildcardHostProblem } from './names.ts';
import { checkConnectionPool, checkOutlierDetection } from './traffic-policy.ts';

/** What istiod's own validation of a MeshConfig looks at. */
export interface MeshConfigFields {
  readonly proxyListenPort?: number;
  readonly connectTimeout?: string;
  readonly protocolDetectionTimeout?: string;
  readonly defaultConfig?: ProxyConfigFields;
  readonly localityLbSetting?: LocalityLoadBalancerSetting;
  readonly zoneAwareLbSetting?: ZoneAwareLoadBalancerSetting;
  readonly serviceSettings?: readonly { readonly hosts?: readonly string[] }[];
  readonly trustDomain?: string;
  readonly trustDomainAliases?: readonly string[];
  readonly defaultTrafficPolicy?: { readonly connectionPool?: ConnectionPoolSettings; readonly outlierDetection?: OutlierDetection };
}

const MAX_CONNECT_TIMEOUT_MS = 3_600_000;
const SPEC: Path = ['spec'];

/** istiod's rules (ValidateMeshConfig) for what a field by itself cannot show. */
export function checkMeshConfigValues(mesh: MeshConfigFields, report: Report): void {
  const { defaultTrafficPolicy: policy, connectTimeout, protocolDetectionTimeout, serviceSettings = [] } = mesh;
  const bad = (path: Path, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...SPEC, ...path], message);
  checkPortNumber(mesh.proxyListenPort, [...SPEC, 'proxyListenPort'], report);
  if ((parseDuration(connectTimeout ?? '0') ?? 0) > MAX_CONNECT_TIMEOUT_MS)
    bad(['connectTimeout'], `${connectTimeout} is too long: give at most 1h`);
  if (!isWholeMs(protocolDetectionTimeout))
    bad(['protocolDetectionTimeout'], `${protocolDetectionTimeout} is too exact: give whole milliseconds`);
  checkMeshProxyConfig(mesh.defaultConfig, [...SPEC, 'defaultConfig'], report);
  checkLocality(mesh.localityLbSetting, [...SPEC, 'localityLbSetting'], report);
  checkZoneAware(mesh.zoneAwareLbSetting, [...SPEC, 'zoneAwareLbSetting'], report);
  for (const [index, { hosts = [] }] of serviceSettings.entries()) {
    for (const [position, host] of hosts.entries()) {
      const problem = wildcardHostProblem(host);
      if (problem !== undefined) bad(['serviceSettings', index, 'hosts', position], problem);
    }
  }
  checkTrustDomain(mesh.trustDomain, [...SPEC, 'trustDomain'], report);
  for (const [index, alias] of (mesh.trustDomainAliases ?? []).entries())
    checkTrustDomain(alias, [...SPEC, 'trustDomainAliases', index], report);
  checkOutlierDetection(policy?.outlierDetection, [...SPEC, 'defaultTrafficPolicy', 'outlierDetection'], report);
  checkConnectionPool(policy?.connectionPool, [...SPEC, 'defaultTrafficPolicy', 'connectionPool'], report);
}

/** Labels as of a host name, which may be a number or end with a dot (Istio: ValidateTrustDomain). */
function checkTrustDomain(domain: string | undefined, path: Path, report: Report): void {
  if (domain === undefined) return;
  const labels = domain.endsWith('.') ? domain.slice(0, -1).split('.') : domain.split('.');
  if (domain !== '' && labels.every(isDnsLabel)) return;
  report(
    'RIPSTOP_BAD_VALUE',
    'error',
    path,
    `${JSON.stringify(domain)} is no trust domain: letters, digits and "-" between dots, such as cluster.local; leave it out for the default`,
  );
}

function isWholeMs(duration = '0'): boolean {
  const ms = parseDuration(duration.replace(/^[-+]/, '')) ?? 0;
  return Math.abs(ms - Math.round(ms)) < 1e-6;
}
