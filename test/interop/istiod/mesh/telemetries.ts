import type { Document } from './document.ts';
import { LOGGERS, TRACERS } from './providers.ts';
import type { Random } from './random.ts';
import { metadataOf, NAMESPACES, type World } from './world.ts';

type Json = Record<string, unknown>;

/** Telemetry of the root namespace, of namespaces and of workloads, several for the same. */
export function telemetries({ random }: World): Document[] {
  return random.several(0, 3, (index) => ({
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: metadataOf(random, `tm-${index}`, random.pick(NAMESPACES)),
    spec: {
      ...random.maybe(0.4, () => ({
        selector: { matchLabels: random.pick<Json>([{ app: 'cart' }, { app: 'reviews' }, { version: 'v1' }, { istio: 'ingressgateway' }]) },
      })),
      ...random.maybe(0.6, () => ({ accessLogging: random.several(0, 2, () => accessLogging(random)) })),
      ...random.maybe(0.5, () => ({ tracing: random.several(0, 2, () => tracing(random)) })),
      ...random.maybe(0.4, () => ({ metrics: random.several(1, 2, () => metrics(random)) })),
    },
  }));
}

function match(random: Random): Json {
  return random.maybe(0.4, () => ({ match: { mode: random.pick(['CLIENT', 'SERVER', 'CLIENT_AND_SERVER']) } }));
}

function named(names: readonly string[]): Json {
  return { providers: names.map((name) => ({ name })) };
}

function accessLogging(random: Random): Json {
  return {
    ...match(random),
    ...random.maybe(0.7, () => named(random.some(LOGGERS, 1, 2))),
    ...random.maybe(0.3, () => ({ disabled: random.chance(0.6) })),
    ...random.maybe(0.3, () => ({ filter: { expression: random.pick(['response.code >= 400', "request.method == 'GET'"]) } })),
  };
}

function tracing(random: Random): Json {
  return {
    ...match(random),
    // More than one is refused.
    ...random.maybe(0.7, () => named([random.pick(TRACERS)])),
    ...random.maybe(0.5, () => ({ randomSamplingPercentage: random.pick([0, 0.5, 12.5, 100]) })),
    ...random.maybe(0.2, () => ({ disableSpanReporting: random.chance(0.6) })),
    ...random.maybe(0.4, () => ({ customTags: customTags(random) })),
    ...random.maybe(0.2, () => ({ useRequestIdForTraceSampling: random.chance(0.5) })),
    ...random.maybe(0.2, () => ({ enableIstioTags: random.chance(0.5) })),
  };
}

export function customTags(random: Random): Json {
  return Object.fromEntries(
    random
      .some(['b-tag', 'a-tag', 'istio.mesh_id'], 1, 2)
      .map((name) => [
        name,
        random.pick<Json>([
          { literal: { value: 'one' } },
          { environment: { name: 'POD_NAME' } },
          { environment: { name: 'POD_NAME', defaultValue: 'none' } },
          { header: { name: 'x-user', defaultValue: 'nobody' } },
        ]),
      ]),
  );
}

function metrics(random: Random): Json {
  return {
    ...random.maybe(0.7, () => named(['prometheus'])),
    ...random.maybe(0.8, () => ({
      overrides: random.several(1, 2, () => ({
        match: {
          ...random.maybe(0.6, () => ({ metric: random.pick(['ALL_METRICS', 'REQUEST_COUNT', 'TCP_SENT_BYTES']) })),
          ...random.maybe(0.5, () => ({ mode: random.pick(['CLIENT', 'SERVER']) })),
        },
        ...random.maybe(0.4, () => ({ disabled: random.chance(0.5) })),
        ...random.maybe(0.4, () => ({
          tagOverrides: { request_host: random.pick<Json>([{ operation: 'REMOVE' }, { operation: 'UPSERT', value: 'request.host' }]) },
        })),
      })),
    })),
    ...random.maybe(0.2, () => ({ reportingInterval: '5s' })),
  };
}
