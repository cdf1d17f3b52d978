import { type MeshObject, objectKey } from '@ripstop/istio-api';
import { typeName } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { StoreState } from '../source/object-store.ts';
import { Counter, Gauge, Histogram, type Metric } from './prometheus.ts';
import { pushStatus } from './push-status.ts';

/** istiod's names of what sets off a push, as far as there are such here. */
export type Trigger = 'config' | 'endpoint' | 'secret';

/** Kinds that istiod counts as registry events, and not as configuration. */
const REGISTRY_KINDS: ReadonlySet<string> = new Set(['Service', 'EndpointSlice', 'Pod', 'Node', 'Namespace', 'Secret', 'ConfigMap']);

/** Upper bounds, s: istiod's. */
const PUSH_BOUNDS = [0.01, 0.1, 1, 3, 5, 10, 20, 30];
const CONVERGENCE_BOUNDS = [0.1, 0.5, 1, 3, 5, 10, 20, 30];
/** Bytes: istiod's. */
const SIZE_BOUNDS = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000];

/** What is counted at the moment that somebody asks. */
export interface Observed {
  readonly push: PushContext;
  readonly nodes: readonly ProxyNode[];
  /** When the CA's certificates run out, milliseconds since the epoch. */
  readonly ca: { readonly rootNotAfterMs: number; readonly issuerNotAfterMs: number };
  readonly nowMs: number;
}

/** istiod's metrics, under its names and labels: what its dashboard draws, and what its operators watch. */
export class PilotMetrics {
  private readonly pushes = new Counter({ name: 'pilot_xds_pushes', help: 'responses sent to clients', labels: ['type'] });
  private readonly pushTime = new Histogram({
    name: 'pilot_xds_push_time',
    help: 'time to make and send the response of a type to one client, s',
    labels: ['type'],
    bounds: PUSH_BOUNDS,
  });
  private readonly size = new Histogram({
    name: 'pilot_xds_config_size_bytes',
    help: 'sizes of responses',
    labels: ['type'],
    bounds: SIZE_BOUNDS,
  });
  private readonly rejects = new Counter({
    name: 'pilot_total_xds_rejects',
    help: 'responses that clients refused (NACK)',
    labels: ['type'],
  });
  private readonly internalErrors = new Counter({
    name: 'pilot_total_xds_internal_errors',
    help: 'types that could not be translated for a client',
  });
  private readonly triggers = new Counter({
    name: 'pilot_push_triggers',
    help: 'times that something changed and was translated again, by what changed',
    labels: ['type'],
  });
  private readonly contextTime = new Histogram({
    name: 'pilot_pushcontext_init_seconds',
    help: 'time to put the configuration together after a change, s',
    bounds: [0.01, 0.1, 0.5, 1, 3, 5],
  });
  private readonly convergence = new Histogram({
    name: 'pilot_proxy_convergence_time',
    help: 'from a change to the moment that a client was sent all of it, s',
    bounds: CONVERGENCE_BOUNDS,
  });
  private readonly configEvents = new Counter({
    name: 'pilot_k8s_cfg_events',
    help: 'documents that came, changed and went, by kind',
    labels: ['type', 'event'],
  });
  private readonly registryEvents = new Counter({
    name: 'pilot_k8s_reg_events',
    help: 'services, endpoints and processes that came, changed and went, by kind',
    labels: ['type', 'event'],
  });
  private readonly passed = new Counter({
    name: 'galley_validation_passed',
    help: 'documents that were read and are valid',
    labels: ['resource'],
  });
  private readonly failed = new Counter({
    name: 'galley_validation_failed',
    help: 'errors found in documents that were read',
    labels: ['resource', 'reason'],
  });
  private readonly all: readonly Metric[];
  private known: ReadonlySet<MeshObject> = new Set();
  private errors: ReadonlySet<string> = new Set();
  /** Types that something was sent of: few. */
  private readonly typeLabels = new Map<string, readonly string[]>();

  constructor(version: string, observe: () => Observed) {
    const gauge = (name: string, help: string, read: (observed: Observed) => number): Gauge =>
      new Gauge({ name, help }, () => read(observe()));
    this.all = [
      new Gauge({ name: 'istio_build', help: 'this control plane', labels: ['component', 'tag'] }, () => [[['pilot', version], 1]]),
      new Gauge({ name: 'pilot_xds', help: 'clients that are connected over xDS, by their version', labels: ['version'] }, () =>
        byVersion(observe().nodes),
      ),
      gauge('pilot_services', 'services that are known', ({ push }) => push.services.length),
      gauge('pilot_virt_services', 'VirtualServices that are known', ({ push }) => push.virtualServices.length),
      gauge('pilot_eds_no_instances', 'service ports without an endpoint', ({ push }) => emptyPorts(push)),
      gauge('pilot_no_ip', 'workloads that no service selects', ({ push, nodes }) => pushStatus(push, nodes).withoutService),
      gauge(
        'pilot_conflict_inbound_listener',
        'ports of workloads for which two services name different protocols',
        ({ push, nodes }) => pushStatus(push, nodes).inboundConflicts,
      ),
      gauge(
        'pilot_conflict_outbound_listener_tcp_over_current_tcp',
        'addresses and ports at which two TCP services are called',
        ({ push, nodes }) => pushStatus(push, nodes).tcpConflicts,
      ),
      gauge('citadel_server_root_cert_expiry_timestamp', "when the CA's root runs out, s since the epoch", ({ ca }) =>
        seconds(ca.rootNotAfterMs),
      ),
      gauge('citadel_server_root_cert_expiry_seconds', "time until the CA's root runs out, s; negative once it has", ({ ca, nowMs }) =>
        seconds(ca.rootNotAfterMs - nowMs),
      ),
      gauge('citadel_server_cert_chain_expiry_timestamp', 'when the certificate that signs runs out, s since the epoch', ({ ca }) =>
        seconds(ca.issuerNotAfterMs),
      ),
      gauge(
        'citadel_server_cert_chain_expiry_seconds',
        'time until the certificate that signs runs out, s; negative once it has',
        ({ ca, nowMs }) => seconds(ca.issuerNotAfterMs - nowMs),
      ),
      this.pushes,
      this.pushTime,
      this.size,
      this.rejects,
      this.internalErrors,
      this.triggers,
      this.contextTime,
      this.convergence,
      this.configEvents,
      this.registryEvents,
      this.passed,
      this.failed,
    ];
  }

  /** One response to one client. */
  sent(typeUrl: string, bytes: number, ms: number): void {
    let labels = this.typeLabels.get(typeUrl);
    if (labels === undefined) {
      labels = [metricType(typeUrl)];
      this.typeLabels.set(typeUrl, labels);
    }
    this.pushes.add(labels);
    this.size.observe(bytes, labels);
    this.pushTime.observe(ms / 1000, labels);
  }

  refused(typeUrl: string): void {
    this.rejects.add([metricType(typeUrl)]);
  }

  internalError(): void {
    this.internalErrors.add();
  }

  /** The push context was made again, in so many ms. */
  triggered(trigger: Trigger, ms: number): void {
    this.triggers.add([trigger]);
    this.contextTime.observe(ms / 1000);
  }

  /** A client was sent everything of a change. */
  converged(ms: number): void {
    this.convergence.observe(ms / 1000);
  }

  workload(event: 'add' | 'delete'): void {
    this.registryEvents.add(['Workload', event]);
  }

  /** The documents were read again. */
  configuration({ objects, findings }: StoreState): void {
    const keyOf = (object: MeshObject): string => `${object.apiVersion.split('/')[0]} ${objectKey(object)}`;
    const now = new Set(objects);
    const gone = new Map([...this.known].filter((object) => !now.has(object)).map((object) => [keyOf(object), object]));
    const fresh = objects.filter((object) => !this.known.has(object));
    for (const [kind, some] of Map.groupBy(fresh, (object) => object.kind)) {
      const updated = some.filter((object) => gone.delete(keyOf(object))).length;
      this.event(kind, 'update', updated);
      this.event(kind, 'add', some.length - updated);
      this.passed.add([kind], some.length);
    }
    for (const { kind } of gone.values()) this.event(kind, 'delete', 1);
    this.known = now;
    const errors = findings.filter(({ severity }) => severity === 'error');
    const texts = errors.map(({ position, object, path, code, message }) => [position.file, object, path, code, message].join('\n'));
    for (const [index, { object, code }] of errors.entries())
      if (!this.errors.has(texts[index]!)) this.failed.add([object.split(' ')[0] || 'unknown', code]);
    this.errors = new Set(texts);
  }

  /** Prometheus text. */
  render(): string {
    return `${this.all.flatMap((metric) => metric.lines()).join('\n')}\n`;
  }

  private event(kind: string, event: 'add' | 'update' | 'delete', count: number): void {
    if (count > 0) (REGISTRY_KINDS.has(kind) ? this.registryEvents : this.configEvents).add([kind, event], count);
  }
}

const TYPES: Readonly<Record<string, string>> = {
  Cluster: 'cds',
  ClusterLoadAssignment: 'eds',
  Listener: 'lds',
  RouteConfiguration: 'rds',
  Secret: 'sds',
};

/** istiod's short names of types; others by the name of their message. */
function metricType(typeUrl: string): string {
  const name = typeName(typeUrl).split('.').at(-1)!;
  return TYPES[name] ?? name;
}

function seconds(ms: number): number {
  return Math.trunc(ms / 1000);
}

function byVersion(nodes: readonly ProxyNode[]): [[string], number][] {
  const counts = new Map<string, number>();
  for (const { metadata } of nodes) {
    const version = String(metadata.ISTIO_VERSION ?? metadata.RIPSTOP_VERSION ?? 'unknown');
    counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return counts.size === 0 ? [[[''], 0]] : [...counts].map(([version, count]) => [[version], count]);
}

function emptyPorts(push: PushContext): number {
  let empty = 0;
  for (const service of push.services)
    if (service.resolution === 'EDS') for (const port of service.ports) if (push.endpoints(service, port).length === 0) empty++;
  return empty;
}
