import { oneTarget, selector, targetRef, targetRefs } from './common.ts';
import { type Kind, NOTHING_ELSE } from './kind.ts';
import {
  bool,
  choice,
  exactDuration,
  type Fields,
  ignored,
  list,
  map,
  name,
  noted,
  nullable,
  number,
  object,
  rule,
  ruled,
  text,
} from './schema.ts';

const providers = list(object({ name }, ['name']));
const ATTRIBUTES = "CEL over Envoy's attributes, as far as a process has them (docs/reference/differences.md, Telemetry)";
const MODE = choice('CLIENT_AND_SERVER', 'CLIENT', 'SERVER');
const match = object({ mode: MODE });

const tracing: Fields = {
  match,
  providers: noted(providers, "without a provider nothing is traced, as in Istio; the app's own OpenTelemetry SDK gets the spans"),
  randomSamplingPercentage: nullable({ ...number, min: 0, max: 100 }),
  disableSpanReporting: nullable(bool),
  customTags: map(
    object(
      {
        literal: object({ value: name }, ['value']),
        environment: object({ name, defaultValue: text }, ['name']),
        header: object({ name, defaultValue: text }, ['name']),
        formatter: ignored(object({ value: name }, ['value']), 'our messages are older than this kind of tag: use header or literal'),
      },
      [],
      [['literal', 'environment', 'header', 'formatter']],
    ),
  ),
  useRequestIdForTraceSampling: noted(nullable(bool), 'for Envoys: our own processes never take the decision from a request id'),
  enableIstioTags: nullable(bool),
  disableContextPropagation: ignored(nullable(bool), 'our messages are older than this setting'),
};

const tagOverride = ruled(
  object({ operation: choice('UPSERT', 'REMOVE'), value: noted(text, ATTRIBUTES) }),
  rule(
    'value must be set when operation is UPSERT',
    ({ operation, value }: { readonly operation?: string; readonly value?: string }) => operation !== 'UPSERT' || (value ?? '') !== '',
  ),
  rule(
    'value must not be set when operation is REMOVE',
    ({ operation, value }: { readonly operation?: string; readonly value?: string }) => operation !== 'REMOVE' || value === undefined,
    'value',
  ),
);

const override = object({
  match: object(
    {
      metric: noted(
        choice(
          'ALL_METRICS',
          'REQUEST_COUNT',
          'REQUEST_DURATION',
          'REQUEST_SIZE',
          'RESPONSE_SIZE',
          'TCP_OPENED_CONNECTIONS',
          'TCP_CLOSED_CONNECTIONS',
          'TCP_SENT_BYTES',
          'TCP_RECEIVED_BYTES',
          'GRPC_REQUEST_MESSAGES',
          'GRPC_RESPONSE_MESSAGES',
        ),
        'our own processes keep the first four',
      ),
      customMetric: name,
      mode: MODE,
    },
    [],
    [['metric', 'customMetric']],
  ),
  disabled: nullable(bool),
  tagOverrides: map(tagOverride),
});

export const telemetry: Kind = {
  kind: 'Telemetry',
  group: 'telemetry.istio.io',
  versions: ['v1', 'v1alpha1'],
  namespaced: true,
  rest: NOTHING_ELSE,
  status: 'used',
  note: "the root namespace's, then the workload's namespace's, then those with a selector or targetRefs; providers stand in MeshConfig",
  spec: ruled(
    object({
      selector,
      targetRef,
      targetRefs,
      tracing: list(object(tracing)),
      metrics: list(
        object({
          providers,
          overrides: list(override),
          reportingInterval: noted(exactDuration, 'of TCP metrics; our gateways count bytes whenever somebody looks'),
        }),
      ),
      accessLogging: list(object({ match, providers, disabled: nullable(bool), filter: object({ expression: noted(text, ATTRIBUTES) }) })),
    }),
    oneTarget,
  ),
};
