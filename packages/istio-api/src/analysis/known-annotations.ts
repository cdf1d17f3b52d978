export interface Annotation {
  /** Kinds on which it is read; `Any` is every kind. */
  readonly on: readonly string[];
  readonly deprecated?: true;
  /** The form of its value, and that in words. */
  readonly values?: RegExp;
  readonly wants?: string;
}

const of = (on: readonly string[], names: string, more: Omit<Annotation, 'on'> = {}): [string, Annotation][] =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => [name, { on, ...more }]);

const PORTS = { values: /^(\*|(\d{1,5}(,\d{1,5})*)?)$/, wants: 'a list of ports (80,443)' };
const SECONDS = { values: /^\d{1,10}$/, wants: 'a number' };
const RANGES = { values: /^(\*|([0-9a-fA-F.:]+\/\d{1,3}(,[0-9a-fA-F.:]+\/\d{1,3})*)?)$/, wants: 'a list of address ranges (10.0.0.0/8)' };
const QUANTITY = { values: /^[+-]?\d+(\.\d+)?([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/, wants: 'a quantity of Kubernetes (100m, 1Gi)' };
const BOOL = { values: /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/, wants: 'true or false' };

/** The annotations of Istio (istio/api: annotation/annotations.yaml) and the values that its injector takes. */
export const ANNOTATIONS: Readonly<Record<string, Annotation>> = Object.fromEntries([
  ...of(
    ['Pod'],
    `sidecar.istio.io/rewriteAppHTTPProbers sidecar.istio.io/proxyImage sidecar.istio.io/proxyImageType sidecar.istio.io/bootstrapOverride
    sidecar.istio.io/statsHistogramBuckets sidecar.istio.io/statsFlushInterval sidecar.istio.io/statsEvictionInterval
    sidecar.istio.io/statsHistogramBins sidecar.istio.io/userVolume sidecar.istio.io/userVolumeMount sidecar.istio.io/logLevel
    sidecar.istio.io/componentLogLevel sidecar.istio.io/agentLogLevel sidecar.istio.io/nativeSidecar
    readiness.status.sidecar.istio.io/applicationPorts traffic.sidecar.istio.io/excludeInterfaces
    traffic.sidecar.istio.io/includeOutboundPorts proxy.istio.io/config proxy.istio.io/overrides inject.istio.io/templates
    ambient.istio.io/redirection ambient.istio.io/bypass-inbound-capture istio.io/reroute-virtual-interfaces ambient.istio.io/dns-capture`,
  ),
  ...of(['Pod'], 'prometheus.istio.io/merge-metrics', BOOL),
  ...of(['Pod'], 'sidecar.istio.io/interceptionMode', { values: /^(REDIRECT|TPROXY|NONE)$/, wants: 'REDIRECT, TPROXY or NONE' }),
  ...of(['Pod'], 'status.sidecar.istio.io/port', { values: /^\d{1,5}$/, wants: 'a port' }),
  ...of(
    ['Pod'],
    'readiness.status.sidecar.istio.io/initialDelaySeconds readiness.status.sidecar.istio.io/periodSeconds readiness.status.sidecar.istio.io/failureThreshold',
    SECONDS,
  ),
  ...of(
    ['Pod'],
    'sidecar.istio.io/proxyCPU sidecar.istio.io/proxyCPULimit sidecar.istio.io/proxyMemory sidecar.istio.io/proxyMemoryLimit',
    QUANTITY,
  ),
  ...of(['Pod'], 'traffic.sidecar.istio.io/includeOutboundIPRanges traffic.sidecar.istio.io/excludeOutboundIPRanges', RANGES),
  ...of(
    ['Pod'],
    'traffic.sidecar.istio.io/includeInboundPorts traffic.sidecar.istio.io/excludeInboundPorts traffic.sidecar.istio.io/excludeOutboundPorts',
    PORTS,
  ),
  ...of(
    ['Pod'],
    `sidecar.istio.io/inject sidecar.istio.io/discoveryAddress sidecar.istio.io/statsInclusionPrefixes sidecar.istio.io/statsInclusionSuffixes
    sidecar.istio.io/statsInclusionRegexps traffic.sidecar.istio.io/kubevirtInterfaces sidecar.istio.io/extraStatTags
    sidecar.istio.io/statsCompression`,
    { deprecated: true },
  ),
  ...of(['Service'], 'alpha.istio.io/kubernetes-serviceaccounts alpha.istio.io/canonical-serviceaccounts', { deprecated: true }),
  ...of(['Service'], 'networking.istio.io/exportTo traffic.istio.io/nodeSelector'),
  ...of(['Ingress'], 'kubernetes.io/ingress.class'),
  ...of(['Any'], 'galley.istio.io/analyze-suppress gateway.istio.io/controller-version'),
  ...of(['AuthorizationPolicy'], 'istio.io/dry-run'),
  ...of(['WorkloadEntry'], 'istio.io/autoRegistrationGroup istio.io/workloadController istio.io/connectedAt istio.io/disconnectedAt'),
  ...of(['Namespace'], 'topology.istio.io/controlPlaneClusters'),
  ...of(['GatewayClass', 'Gateway'], 'ambient.istio.io/waypoint-inbound-binding'),
  ...of(['Gateway'], 'gateway.istio.io/service-account gateway.istio.io/name-override networking.istio.io/service-type'),
  ...of(['Namespace', 'Service', 'ServiceEntry'], 'networking.istio.io/traffic-distribution istio.io/use-waypoint-canary-weight'),
]);
