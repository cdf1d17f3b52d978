import { describe, expect, it } from 'vitest';
import { pushOf } from '../testing/mesh.ts';
import type { ListenerClass } from './telemetry.ts';

const NODE = { namespace: 'shop', labels: { app: 'api' } };
const PROVIDERS = {
  extensionProviders: [
    { name: 'text', envoyFileAccessLog: { path: '/dev/stdout' } },
    { name: 'json', envoyFileAccessLog: { logFormat: { labels: { status: '%RESPONSE_CODE%' } } } },
    { name: 'otel', opentelemetry: { service: 'otel.x', port: 4317 } },
    { name: 'zip', zipkin: { service: 'zip.x', port: 9411 } },
  ],
};

function telemetry(name: string, namespace: string, spec: string): string {
  return `---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;
}

function logs(yaml: string, listener: ListenerClass = 'inbound', mesh: object = PROVIDERS): string[] {
  const choices = pushOf(yaml, [], mesh).telemetry.accessLogging(NODE, listener, () => new Set());
  return choices.map(({ provider, disabled, expression }) =>
    [provider.name, ...(disabled ? ['off'] : []), ...(expression === undefined ? [] : [expression])].join(' '),
  );
}

const root = (spec: string): string => telemetry('root', 'istio-system', spec);
const shop = (spec: string): string => telemetry('shop', 'shop', spec);
const api = (spec: string): string => telemetry('api', 'shop', `{ selector: { matchLabels: { app: api } }, ${spec.slice(1)}`);
const defaults = (accessLogging: readonly string[]): object => ({ ...PROVIDERS, defaultProviders: { accessLogging } });

describe('access logging of a workload', () => {
  it.each([
    ['nothing said: the default providers', '', 'inbound', defaults(['text']), ['text']],
    ['nothing said, no default', '', 'inbound', PROVIDERS, []],
    [
      'a namespace takes the place of the root',
      root('{ accessLogging: [{ providers: [{ name: text }] }] }') + shop('{ accessLogging: [{ providers: [{ name: json }] }] }'),
      'inbound',
      PROVIDERS,
      ['json'],
    ],
    [
      'a workload takes the place of its namespace',
      shop('{ accessLogging: [{ providers: [{ name: json }] }] }') + api('{ accessLogging: [{ providers: [{ name: text }] }] }'),
      'inbound',
      PROVIDERS,
      ['text'],
    ],
    [
      'a workload of another label does not',
      shop('{ accessLogging: [{ providers: [{ name: json }] }] }') +
        telemetry('other', 'shop', '{ selector: { matchLabels: { app: web } }, accessLogging: [{ disabled: true }] }'),
      'inbound',
      PROVIDERS,
      ['json'],
    ],
    [
      'another namespace says nothing here',
      telemetry('away', 'away', '{ accessLogging: [{ providers: [{ name: json }] }] }'),
      'inbound',
      defaults(['text']),
      ['text'],
    ],
    [
      'of two without selector the older one by name',
      telemetry('b', 'shop', '{ accessLogging: [{ providers: [{ name: json }] }] }') +
        telemetry('a', 'shop', '{ accessLogging: [{ providers: [{ name: text }] }] }'),
      'inbound',
      PROVIDERS,
      ['text'],
    ],
    [
      'a provider that the mesh lacks is left out',
      shop('{ accessLogging: [{ providers: [{ name: nobody }, { name: json }] }] }'),
      'inbound',
      PROVIDERS,
      ['json'],
    ],
    ['the built-in provider', shop('{ accessLogging: [{ providers: [{ name: envoy }] }] }'), 'inbound', PROVIDERS, ['envoy']],
    [
      'a filter',
      shop('{ accessLogging: [{ providers: [{ name: json }], filter: { expression: "response.code > 399" } }] }'),
      'inbound',
      PROVIDERS,
      ['json response.code > 399'],
    ],
    [
      'one for clients is not for servers',
      shop('{ accessLogging: [{ match: { mode: CLIENT }, providers: [{ name: json }] }] }'),
      'inbound',
      defaults(['text']),
      [],
    ],
    [
      'one for clients is for gateways',
      shop('{ accessLogging: [{ match: { mode: CLIENT }, providers: [{ name: json }] }] }'),
      'gateway',
      PROVIDERS,
      ['json'],
    ],
    ['off', shop('{ accessLogging: [{ disabled: true }] }'), 'outbound', defaults(['text']), ['text off']],
    [
      'off for what the entry before it names, only',
      shop('{ accessLogging: [{ providers: [{ name: json }] }, { providers: [{ name: text }] }] }') +
        api('{ accessLogging: [{ disabled: true }] }'),
      'inbound',
      PROVIDERS,
      ['json', 'text off'],
    ],
  ] as const)('%s', (_what, yaml, listener, mesh, expected) => {
    expect(logs(yaml, listener, mesh)).toEqual(expected);
  });
});

describe('tracing of a workload', () => {
  const tracing = (yaml: string, listener: ListenerClass, mesh: object = PROVIDERS) =>
    pushOf(yaml, [], mesh).telemetry.tracing(NODE, listener, () => new Set());

  it('is what MeshConfig says when Telemetry says nothing', () => {
    expect(tracing('', 'inbound')).toBeUndefined();
  });

  it('is off without a provider', () => {
    expect(tracing(shop('{ tracing: [{ randomSamplingPercentage: 50 }] }'), 'inbound')?.provider).toBeUndefined();
  });

  it('takes field by field what the nearest level says, tags as a whole', () => {
    const yaml =
      root('{ tracing: [{ providers: [{ name: otel }], randomSamplingPercentage: 10, customTags: { a: { literal: { value: "1" } } } }] }') +
      shop('{ tracing: [{ match: { mode: CLIENT }, customTags: { b: { literal: { value: "2" } } } }] }') +
      api('{ tracing: [{ providers: [{ name: zip }], enableIstioTags: false }] }');
    expect(tracing(yaml, 'inbound')).toMatchObject({ provider: { name: 'zip' }, sampling: 10, istioTags: false, customTags: { a: {} } });
    expect(Object.keys(tracing(yaml, 'outbound')!.customTags!)).toEqual(['b']);
  });

  it('is off where spans are not to be reported', () => {
    const yaml = root('{ tracing: [{ providers: [{ name: otel }] }] }') + shop('{ tracing: [{ disableSpanReporting: true }] }');
    expect(tracing(yaml, 'inbound')?.provider).toBeUndefined();
  });
});

describe('metrics of a workload', () => {
  const metrics = (yaml: string, listener: ListenerClass, mesh: object = PROVIDERS) =>
    pushOf(yaml, [], mesh).telemetry.metrics(NODE, listener, () => new Set());

  it('are the standard ones when nothing is said', () => {
    expect(metrics('', 'inbound')).toEqual({ disabled: false, overrides: [], reportingInterval: undefined });
  });

  it('add up over levels, the nearest last, by mode', () => {
    const yaml =
      root(
        '{ metrics: [{ overrides: [{ match: { metric: REQUEST_SIZE }, disabled: true }, { match: { metric: REQUEST_COUNT }, tagOverrides: { a: { operation: UPSERT, value: request.host } } }] }] }',
      ) +
      api('{ metrics: [{ overrides: [{ match: { metric: REQUEST_COUNT, mode: SERVER }, tagOverrides: { a: { operation: REMOVE } } }] }] }');
    expect(metrics(yaml, 'inbound')?.overrides).toEqual([
      { metric: 'REQUEST_COUNT', drop: false, tags: [{ name: 'a', value: undefined }] },
      { metric: 'REQUEST_SIZE', drop: true, tags: [] },
    ]);
    expect(metrics(yaml, 'outbound')?.overrides[0]).toEqual({
      metric: 'REQUEST_COUNT',
      drop: false,
      tags: [{ name: 'a', value: 'request.host' }],
    });
  });

  it('are off, and on again for whoever says more about them', () => {
    const off = root('{ metrics: [{ overrides: [{ disabled: true }] }] }');
    expect(metrics(off, 'inbound')?.disabled).toBe(true);
    const on = off + shop('{ metrics: [{ overrides: [{ match: { metric: REQUEST_COUNT }, disabled: false }] }] }');
    expect(metrics(on, 'inbound')).toMatchObject({ disabled: false, overrides: [{ metric: 'REQUEST_COUNT', drop: false }] });
  });

  it('are none for a mesh whose provider is not Prometheus', () => {
    expect(metrics('', 'inbound', { defaultProviders: { metrics: [] } })).toBeUndefined();
  });
});
