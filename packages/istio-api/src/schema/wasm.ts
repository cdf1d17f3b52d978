import { limited, oneTarget, onlyOne, selector, targetRef, targetRefs, text2048 } from './common.ts';
import { type Kind, NOTHING_ELSE } from './kind.ts';
import {
  anyObject,
  choice,
  type Fields,
  guards,
  ignored,
  int32,
  integer,
  list,
  noted,
  nullable,
  object,
  type Rule,
  rule,
  ruled,
  text,
} from './schema.ts';

const short = (maxLength: number) => ({ ...limited(maxLength), minLength: 1 });

const match = list(
  object({
    mode: choice('UNDEFINED', 'CLIENT', 'SERVER', 'CLIENT_AND_SERVER'),
    ports: { ...list(object({ number: { ...integer, min: 1, max: 65_535 } }, ['number'])), key: 'number' },
  }),
);

const FETCH_NOTE = "fetched by Istio's agent beside the Envoy, but for file://";
const env = object({ name: short(256), valueFrom: choice('INLINE', 'HOST'), value: text2048 }, ['name']);
const wasmFields: Fields = {
  type: choice('UNSPECIFIED_PLUGIN_TYPE', 'HTTP', 'NETWORK'),
  url: noted(ruled(short(Number.POSITIVE_INFINITY), rule('url must have schema one of [http, https, file, oci]', isModuleUrl)), FETCH_NOTE),
  sha256: { ...text, pattern: /(^$|^[a-f0-9]{64}$)/ },
  imagePullPolicy: choice('UNSPECIFIED_POLICY', 'IfNotPresent', 'Always'),
  imagePullSecret: noted(
    short(253),
    'of type kubernetes.io/dockerconfigjson, in the namespace of the plugin; for clients that proved who they are',
  ),
  verificationKey: ignored(text, 'istiod does not read it either'),
  pluginConfig: anyObject,
  pluginName: short(256),
  failStrategy: choice('FAIL_CLOSE', 'FAIL_OPEN', 'FAIL_RELOAD'),
  vmConfig: object({
    env: {
      ...list(
        ruled(
          env,
          rule(
            'value may only be set when valueFrom is INLINE',
            ({ valueFrom, value }: { readonly valueFrom?: string; readonly value?: string }) => valueFrom !== 'HOST' || value === undefined,
            'value',
          ),
        ),
      ),
      maxItems: 256,
      key: 'name',
    },
  }),
};

/** Without a scheme it is an image of a registry; the CRD's rule lets a path stand as well. */
function isModuleUrl(text: string): boolean {
  if (text.startsWith('/')) return true;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined) return ['http', 'https', 'file', 'oci'].includes(scheme) && (scheme === 'file' || URL.canParse(text));
  return URL.canParse(`http://${text}`);
}

const PHASE_NOTE = 'AUTHN and AUTHZ: selected workloads in Node refuse every request';
const NOTE = "Envoy's plugin interface does not exist in Node; write a filter and pass it to createMesh({ filters })";
const EXTENSION = {
  group: 'extensions.istio.io',
  versions: ['v1alpha1'],
  namespaced: true,
  rest: NOTHING_ELSE,
  status: 'used',
  onlyEnvoys: true,
  note: NOTE,
  requiresSpec: true,
  closes: (spec: unknown): boolean => guards((spec as { readonly phase?: unknown }).phase),
} as const;

export const wasmPlugin: Kind = {
  ...EXTENSION,
  kind: 'WasmPlugin',
  spec: ruled(
    object(
      {
        selector,
        targetRef,
        targetRefs,
        phase: noted(choice('UNSPECIFIED_PHASE', 'AUTHN', 'AUTHZ', 'STATS'), PHASE_NOTE),
        priority: nullable(int32),
        match,
        ...wasmFields,
      },
      ['url'],
    ),
    oneTarget,
  ),
};

const wasmOrLua: Rule = rule(
  'exactly one of wasm or lua must be set',
  ({ wasm, lua }: { readonly wasm?: object; readonly lua?: object }) => (wasm === undefined) !== (lua === undefined),
);

export const trafficExtension: Kind = {
  ...EXTENSION,
  kind: 'TrafficExtension',
  spec: ruled(
    object(
      {
        selector,
        targetRefs,
        phase: noted(choice('UNSPECIFIED', 'AUTHN', 'AUTHZ', 'STATS'), PHASE_NOTE),
        priority: nullable(int32),
        match,
        wasm: object(wasmFields, ['url']),
        lua: object({ inlineCode: short(65_536) }, ['inlineCode']),
      },
      [],
      [['wasm', 'lua']],
    ),
    onlyOne('targetRefs or selector', 'selector', 'targetRefs'),
    wasmOrLua,
  ),
};
