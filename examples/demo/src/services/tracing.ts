import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { NodeSDK, resources, tracing } from '@opentelemetry/sdk-node';

/** Starts the app's OpenTelemetry SDK when DEMO_OTLP names a collector. The mesh only speaks @opentelemetry/api: the SDK is the app's choice. */
export function startTracing(serviceName: string): void {
  const url = process.env.DEMO_OTLP;
  if (url === undefined) return;
  const exporter = new OTLPTraceExporter({ url });
  const sdk = new NodeSDK({
    resource: resources.resourceFromAttributes({ 'service.name': serviceName }),
    spanProcessors: [new tracing.BatchSpanProcessor(exporter, { scheduledDelayMillis: 300 })],
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
}
