import { selector, targetRef, workloadSelector } from './common.ts';
import { type Kind, NETWORKING, NOTHING_ELSE } from './kind.ts';
import { any, bool, choice, type Fields, ignored, list, map, noted, number, object, text } from './schema.ts';

const PHASES = ['AUTHN', 'AUTHZ'];
const guards = (phase: unknown): boolean => typeof phase === 'string' && PHASES.includes(phase);

const match = list(object({ mode: choice('UNDEFINED', 'CLIENT', 'SERVER', 'CLIENT_AND_SERVER'), ports: list(object({ number })) }));
const wasmFields: Fields = {
  type: text,
  url: text,
  sha256: text,
  imagePullPolicy: text,
  imagePullSecret: text,
  verificationKey: text,
  pluginConfig: any,
  pluginName: text,
  failStrategy: text,
  vmConfig: object({ env: list(object({ name: text, valueFrom: text, value: text })) }),
};
const phase = noted(text, 'AUTHN and AUTHZ: the selected workloads refuse every request');
const NOTE = "Envoy's plugin interface does not exist in Node; write a filter and pass it to createMesh({ filters })";

export const wasmPlugin: Kind = {
  kind: 'WasmPlugin',
  group: 'extensions.istio.io',
  versions: ['v1alpha1'],
  namespaced: true,
  rest: NOTHING_ELSE,
  status: 'refused',
  note: NOTE,
  closes: (spec) => guards((spec as { readonly phase?: unknown }).phase),
  spec: object({ selector, targetRef, targetRefs: list(targetRef), phase, priority: number, match, ...wasmFields }),
};

export const trafficExtension: Kind = {
  kind: 'TrafficExtension',
  group: 'extensions.istio.io',
  versions: ['v1alpha1'],
  namespaced: true,
  rest: NOTHING_ELSE,
  status: 'refused',
  note: NOTE,
  closes: (spec) => guards((spec as { readonly phase?: unknown }).phase),
  spec: object({
    selector,
    targetRefs: list(targetRef),
    phase,
    priority: number,
    match,
    wasm: object(wasmFields),
    lua: object({ inlineCode: text }),
  }),
};

interface Patches {
  readonly configPatches?: readonly { readonly patch?: { readonly filterClass?: unknown } }[];
}

export const envoyFilter: Kind = {
  ...NETWORKING,
  versions: ['v1alpha3'],
  kind: 'EnvoyFilter',
  status: 'refused',
  note: 'use the Istio resource that says the same, or a filter of your own in createMesh({ filters })',
  closes: (spec) => {
    const { configPatches } = spec as Patches;
    return Array.isArray(configPatches) && configPatches.some((entry) => guards(entry?.patch?.filterClass));
  },
  spec: object({
    workloadSelector,
    targetRefs: list(targetRef),
    priority: number,
    configPatches: list(
      object({
        applyTo: text,
        match: any,
        patch: object({
          operation: text,
          value: any,
          filterClass: noted(text, 'AUTHN and AUTHZ: the selected workloads refuse every request'),
        }),
      }),
    ),
  }),
};

const provider = list(object({ name: text }));
const mode = object({ mode: text });

export const telemetry: Kind = {
  kind: 'Telemetry',
  group: 'telemetry.istio.io',
  versions: ['v1', 'v1alpha1'],
  namespaced: true,
  rest: NOTHING_ELSE,
  status: 'ignored',
  note: 'all standard metrics are kept; access logs and sampling are set in mesh.yaml (accessLogFile, defaultConfig.tracing.sampling)',
  spec: object({
    selector: ignored(selector),
    targetRef: ignored(targetRef),
    targetRefs: ignored(list(targetRef)),
    tracing: list(
      object({
        match: ignored(mode),
        providers: ignored(provider),
        randomSamplingPercentage: ignored(number),
        disableSpanReporting: ignored(bool),
        customTags: ignored(map(any)),
        useRequestIdForTraceSampling: ignored(bool),
        enableIstioTags: ignored(bool),
        disableContextPropagation: ignored(bool),
      }),
    ),
    metrics: list(object({ providers: ignored(provider), overrides: ignored(list(any)), reportingInterval: ignored(text) })),
    accessLogging: list(
      object({
        match: ignored(mode),
        providers: ignored(provider),
        disabled: ignored(bool),
        filter: ignored(object({ expression: text })),
      }),
    ),
  }),
};

export const proxyConfig: Kind = {
  ...NETWORKING,
  versions: ['v1beta1'],
  kind: 'ProxyConfig',
  status: 'ignored',
  note: 'it steers a proxy process, and there is none',
  spec: object({
    selector: ignored(selector),
    concurrency: ignored(number),
    environmentVariables: ignored(map(text)),
    image: ignored(object({ imageType: choice('default', 'debug', 'distroless') })),
  }),
};
