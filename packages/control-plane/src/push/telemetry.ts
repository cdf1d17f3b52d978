import type {
  MeshObject,
  TelemetryAccessLogging,
  TelemetryMetrics,
  TelemetryProvider,
  TelemetrySpec,
  TelemetryTracing,
} from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { attaches } from './authorization.ts';
import { mergeAccessLogging } from './telemetry-logging.ts';
import { type MergedMetrics, mergeMetrics } from './telemetry-metrics.ts';
import { mergeTracing, type TracingSettings } from './telemetry-tracing.ts';

/** Which listener of a node is meant: what it serves, what it calls, or what it does both at once (gateways report as clients). */
export type ListenerClass = 'inbound' | 'outbound' | 'gateway';

/** Istio's word for it, as Telemetry's `match.mode` has it. */
export function modeOf(listener: ListenerClass): 'CLIENT' | 'SERVER' {
  return listener === 'inbound' ? 'SERVER' : 'CLIENT';
}

/** MeshConfig, as far as Telemetry builds on it. */
export interface TelemetryDefaults {
  readonly providers: readonly TelemetryProvider[];
  readonly accessLogging: readonly string[];
  readonly metrics: readonly string[];
  readonly tracing: readonly string[];
}

/** A provider that logs, and what is logged. */
export interface LogChoice {
  readonly provider: TelemetryProvider;
  readonly disabled: boolean;
  /** CEL; undefined = everything. */
  readonly expression: string | undefined;
}

/** What Telemetry documents say for one node, the least specific first: root namespace, namespace, workload. */
interface Applicable {
  readonly logging: readonly (readonly TelemetryAccessLogging[])[];
  readonly tracing: readonly TelemetryTracing[];
  readonly metrics: readonly TelemetryMetrics[];
}

type Node = Pick<ProxyNode, 'namespace' | 'labels'>;

/** Telemetry documents by node (istiod: pilot/pkg/model/telemetry.go). */
export class Telemetries {
  private readonly objects: readonly MeshObject<TelemetrySpec>[];
  private readonly rootNamespace: string;
  private readonly defaults: TelemetryDefaults;

  /** `objects`: oldest first. */
  constructor(objects: readonly MeshObject<TelemetrySpec>[], rootNamespace: string, defaults: TelemetryDefaults) {
    this.objects = objects;
    this.rootNamespace = rootNamespace;
    this.defaults = defaults;
  }

  /** By provider name. Empty = Telemetry says nothing, and MeshConfig's accessLogFile decides. */
  accessLogging(node: Node, listener: ListenerClass, gateways: () => ReadonlySet<string>): readonly LogChoice[] {
    const { logging } = this.applicable(node, gateways);
    if (logging.length === 0 && this.defaults.accessLogging.length === 0) return [];
    const merged = mergeAccessLogging(logging, this.defaults.accessLogging, modeOf(listener));
    return [...merged]
      .flatMap(([name, choice]) => {
        const provider = this.provider(name);
        return provider === undefined ? [] : [{ provider, ...choice }];
      })
      .sort((a, b) => ((a.provider.name ?? '') < (b.provider.name ?? '') ? -1 : 1));
  }

  /** Undefined = Telemetry says nothing, and MeshConfig's enableTracing decides. */
  tracing(node: Node, listener: ListenerClass, gateways: () => ReadonlySet<string>): TracingSettings | undefined {
    const { tracing } = this.applicable(node, gateways);
    if (tracing.length === 0 && this.defaults.tracing.length === 0) return undefined;
    return mergeTracing(tracing, this.defaults.tracing, modeOf(listener), (name) => this.provider(name));
  }

  /** What is counted otherwise than by default, for the provider `prometheus`; undefined = no such provider is asked for. */
  metrics(node: Node, listener: ListenerClass, gateways: () => ReadonlySet<string>): MergedMetrics | undefined {
    const { metrics } = this.applicable(node, gateways);
    const merged = mergeMetrics(metrics, this.defaults.metrics, modeOf(listener));
    for (const [name, settings] of merged) if (this.provider(name)?.prometheus !== undefined) return settings;
    return undefined;
  }

  /** Of a namespace only the oldest document without selector counts; of those with one, all that take the workload. */
  private applicable(node: Node, gateways: () => ReadonlySet<string>): Applicable {
    const found: MeshObject<TelemetrySpec>[] = [];
    for (const namespace of new Set([this.rootNamespace, node.namespace])) {
      const general = this.objects.find(({ metadata, spec }) => metadata.namespace === namespace && isGeneral(spec));
      if (general !== undefined) found.push(general);
    }
    for (const object of this.objects) {
      if (object.metadata.namespace !== node.namespace || isGeneral(object.spec)) continue;
      if (attaches(object, node.namespace, node.labels, gateways)) found.push(object);
    }
    return {
      logging: found.flatMap(({ spec }) => ((spec.accessLogging ?? []).length === 0 ? [] : [spec.accessLogging!])),
      tracing: found.flatMap(({ spec }) => spec.tracing ?? []),
      metrics: found.flatMap(({ spec }) => spec.metrics ?? []),
    };
  }

  private provider(name: string): TelemetryProvider | undefined {
    const wanted = name.toLowerCase();
    return this.defaults.providers.find((provider) => provider.name?.toLowerCase() === wanted);
  }
}

function isGeneral({ selector, targetRef, targetRefs = [] }: TelemetrySpec): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length === 0 && targetRef === undefined && targetRefs.length === 0;
}
