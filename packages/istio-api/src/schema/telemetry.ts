import { oneTarget, selector, targetRef, targetRefs } from './common.ts';
import { type Kind, NOTHING_ELSE } from './kind.ts';
import {
  bool,
  choice,
  duration,
  type Fields,
  ignoredFields,
  list,
  map,
  name,
  nullable,
  number,
  object,
  rule,
  ruled,
  text,
} from './schema.ts';

const providers = list(object({ name }, ['name']));
const MODE = choice('CLIENT_AND_SERVER', 'CLIENT', 'SERVER');
const match = object({ mode: MODE });

const tracing: Fields = {
  match,
  providers,
  randomSamplingPercentage: nullable({ ...number, min: 0, max: 100 }),
  disableSpanReporting: nullable(bool),
  customTags: map(
    object(
      {
        literal: object({ value: name }, ['value']),
        environment: object({ name, defaultValue: text }, ['name']),
        header: object({ name, defaultValue: text }, ['name']),
        formatter: object({ value: name }, ['value']),
      },
      [],
      [['literal', 'environment', 'header', 'formatter']],
    ),
  ),
  useRequestIdForTraceSampling: nullable(bool),
  enableIstioTags: nullable(bool),
  disableContextPropagation: nullable(bool),
};

const tagOverride = ruled(
  object({ operation: choice('UPSERT', 'REMOVE'), value: text }),
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
      metric: choice(
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
  status: 'ignored',
  note: 'all standard metrics are kept; access logs and sampling are set in mesh.yaml (accessLogFile, defaultConfig.tracing.sampling)',
  spec: ruled(
    object({
      ...ignoredFields({ selector, targetRef, targetRefs }),
      tracing: list(object(ignoredFields(tracing))),
      metrics: list(object(ignoredFields({ providers, overrides: list(override), reportingInterval: duration }))),
      accessLogging: list(object(ignoredFields({ match, providers, disabled: nullable(bool), filter: object({ expression: text }) }))),
    }),
    oneTarget,
  ),
};
