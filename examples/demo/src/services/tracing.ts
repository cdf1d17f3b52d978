import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { NodeSDK } from '@opentelemetry/sdk-node';

/** Starts the app's OpenTelemetry SDK when DEMO_OTLP names a collector. The mesh only speaks @opentelemetry/api: the SDK is the app's choice. */
export function startTracing(serviceName: string): void {
  const url = process.env.DEMO_OTLP;
  if (url === undefined) return;
  const sdk = new NodeSDK({
    serviceName,
    autoDetectResources: false,
    traceExporter: new OTLPTraceExporter({ url }),
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
}
