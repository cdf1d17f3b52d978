import type { PolicyTargetReference } from './security.ts';

export type WorkloadMode = 'CLIENT_AND_SERVER' | 'CLIENT' | 'SERVER';

export interface ProviderRef {
  readonly name?: string;
}

/** Where a span's tag comes from; one of the four. */
export interface TelemetryCustomTag {
  readonly literal?: { readonly value?: string };
  readonly environment?: { readonly name?: string; readonly defaultValue?: string };
  readonly header?: { readonly name?: string; readonly defaultValue?: string };
  readonly formatter?: { readonly value?: string };
}

export interface TelemetryTracing {
  readonly match?: { readonly mode?: WorkloadMode };
  readonly providers?: readonly ProviderRef[];
  readonly randomSamplingPercentage?: number;
  readonly disableSpanReporting?: boolean;
  readonly customTags?: Readonly<Record<string, TelemetryCustomTag>>;
  readonly useRequestIdForTraceSampling?: boolean;
  readonly enableIstioTags?: boolean;
  readonly disableContextPropagation?: boolean;
}

export interface TelemetryTagOverride {
  readonly operation?: 'UPSERT' | 'REMOVE';
  /** CEL; of UPSERT. */
  readonly value?: string;
}

export interface TelemetryMetricsOverride {
  readonly match?: { readonly metric?: string; readonly customMetric?: string; readonly mode?: WorkloadMode };
  readonly disabled?: boolean;
  readonly tagOverrides?: Readonly<Record<string, TelemetryTagOverride>>;
}

export interface TelemetryMetrics {
  readonly providers?: readonly ProviderRef[];
  readonly overrides?: readonly TelemetryMetricsOverride[];
  readonly reportingInterval?: string;
}

export interface TelemetryAccessLogging {
  readonly match?: { readonly mode?: WorkloadMode };
  readonly providers?: readonly ProviderRef[];
  readonly disabled?: boolean;
  /** CEL. */
  readonly filter?: { readonly expression?: string };
}

export interface TelemetrySpec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly targetRef?: PolicyTargetReference;
  readonly targetRefs?: readonly PolicyTargetReference[];
  readonly tracing?: readonly TelemetryTracing[];
  readonly metrics?: readonly TelemetryMetrics[];
  readonly accessLogging?: readonly TelemetryAccessLogging[];
}

/** A service of the mesh that a provider sends to. */
interface Collector {
  readonly service?: string;
  readonly port?: number;
}

interface GrpcLogProvider extends Collector {
  readonly logName?: string;
  readonly filterStateObjectsToLog?: readonly string[];
}

/** The kinds of MeshConfig.extensionProviders that Telemetry may name; one of them is set. */
export interface TelemetryProvider {
  readonly name?: string;
  readonly envoyFileAccessLog?: {
    readonly path?: string;
    readonly logFormat?: { readonly text?: string; readonly labels?: Readonly<Record<string, unknown>> };
    readonly omitEmptyValues?: boolean;
  };
  readonly envoyHttpAls?: GrpcLogProvider & {
    readonly additionalRequestHeadersToLog?: readonly string[];
    readonly additionalResponseHeadersToLog?: readonly string[];
    readonly additionalResponseTrailersToLog?: readonly string[];
  };
  readonly envoyTcpAls?: GrpcLogProvider;
  readonly envoyOtelAls?: Collector & {
    readonly logName?: string;
    readonly logFormat?: { readonly text?: string; readonly labels?: Readonly<Record<string, string>> };
  };
  readonly opentelemetry?: Collector & { readonly maxTagLength?: number };
  readonly zipkin?: Collector & {
    readonly maxTagLength?: number;
    readonly path?: string;
    readonly enable64bitTraceId?: boolean;
    readonly timeout?: string;
  };
  readonly datadog?: Collector & { readonly maxTagLength?: number };
  readonly skywalking?: Collector;
  readonly prometheus?: object;
}
