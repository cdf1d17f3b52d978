import type { MeshObject } from '../object.ts';
import type { Labels } from './labels.ts';
import type { Analyzer } from './say.ts';
import { checkOnePerWorkload } from './selector-conflicts.ts';

type Providers = readonly { readonly name?: string }[];
interface TelemetrySpec {
  readonly selector?: { readonly matchLabels?: Labels };
  readonly targetRef?: object;
  readonly targetRefs?: readonly object[];
  readonly accessLogging?: readonly { readonly disabled?: boolean; readonly providers?: Providers }[];
  readonly tracing?: readonly { readonly providers?: Providers }[];
}
interface Defaults {
  readonly defaultProviders?: { readonly accessLogging?: readonly string[] };
  readonly extensionProviders?: readonly { readonly name?: string; readonly lightstep?: object }[];
}

/** Istio: the four analyzers of Telemetry. */
export const analyzeTelemetry: Analyzer = (mesh, say) => {
  const all = mesh.all<TelemetrySpec>('telemetry.istio.io/Telemetry');
  const { defaultProviders, extensionProviders = [] } = mesh.meshConfig as Defaults;
  checkOnePerWorkload(
    all.filter(({ spec }) => (spec.targetRef ?? spec.targetRefs) === undefined),
    mesh,
    {
      kind: 'Telemetries',
      several: 'IST0160',
      overlap: 'IST0159',
      selectorPath: ['spec', 'selector', 'matchLabels'],
      selectorOf: (object) => (object as MeshObject<TelemetrySpec>).spec.selector?.matchLabels,
    },
    say,
  );
  const lightstep = new Set(
    extensionProviders.flatMap(({ name, lightstep: uses }) => (uses === undefined || name === undefined ? [] : [name])),
  );
  for (const object of all) {
    if ((defaultProviders?.accessLogging ?? []).length === 0)
      for (const [index, { disabled, providers = [] }] of (object.spec.accessLogging ?? []).entries())
        if (disabled !== true && providers.length === 0)
          say(
            object,
            'IST0157',
            ['spec', 'accessLogging', index],
            'it names no provider and MeshConfig has no defaultProviders.accessLogging: it has no effect; name one',
          );
    for (const [index, { providers = [] }] of (object.spec.tracing ?? []).entries())
      for (const { name } of providers.filter(({ name: used }) => lightstep.has(used ?? '')))
        say(
          object,
          'IST0002',
          ['spec', 'tracing', index, 'providers'],
          `Lightstep provider ${name} is deprecated: use an OpenTelemetry provider`,
        );
  }
};
