import type { Document } from './document.ts';
import type { Random } from './random.ts';
import { metadataOf, NAMESPACES, PORT_NUMBERS, type World } from './world.ts';

type Json = Record<string, unknown>;

/** WasmPlugins and TrafficExtensions of every phase, for requests and for connections. */
export function trafficExtensions({ random }: World): Document[] {
  return random.several(0, 3, (index) => {
    const isPlugin = random.chance(0.6);
    const spec = isPlugin ? wasm(random) : random.chance(0.5) ? { wasm: wasm(random) } : { lua: { inlineCode: LUA } };
    return {
      apiVersion: 'extensions.istio.io/v1alpha1',
      kind: isPlugin ? 'WasmPlugin' : 'TrafficExtension',
      metadata: metadataOf(random, `ext-${index}`, random.pick(NAMESPACES)),
      spec: {
        ...spec,
        ...target(random),
        ...random.maybe(0.7, () => ({ phase: random.pick(['AUTHN', 'AUTHZ', 'STATS', 'UNSPECIFIED_PHASE'].slice(0, isPlugin ? 4 : 3)) })),
        ...random.maybe(0.5, () => ({ priority: random.pick([-5, 0, 10, 100]) })),
        ...random.maybe(0.5, () => ({ match: random.several(1, 2, () => match(random)) })),
      },
    };
  });
}

const LUA = 'function envoy_on_request(handle) handle:headers():add("x-lua", "1") end';

function target(random: Random): Json {
  return random.pick<Json>([
    {},
    { selector: { matchLabels: random.pick<Json>([{ app: 'cart' }, { version: 'v1' }, { istio: 'ingressgateway' }]) } },
    { targetRefs: [{ group: '', kind: 'Service', name: random.pick(['cart', 'istio-ingressgateway']) }] },
  ]);
}

function match(random: Random): Json {
  return {
    ...random.maybe(0.7, () => ({ mode: random.pick(['CLIENT', 'SERVER', 'CLIENT_AND_SERVER']) })),
    ...random.maybe(0.5, () => ({ ports: random.some(PORT_NUMBERS, 1, 2).map((number) => ({ number })) })),
  };
}

function wasm(random: Random): Json {
  return {
    url: random.pick(['oci://example.com/plugin:v1', 'example.com/plugin', 'https://example.com/plugin.wasm', 'file:///plugin.wasm']),
    ...random.maybe(0.4, () => ({ type: random.pick(['HTTP', 'NETWORK']) })),
    ...random.maybe(0.3, () => ({ sha256: 'a'.repeat(64) })),
    ...random.maybe(0.3, () => ({ imagePullPolicy: random.pick(['IfNotPresent', 'Always']) })),
    ...random.maybe(0.4, () => ({ pluginConfig: { header: 'x-wasm', nested: { on: true, list: [1, 'two'] } } })),
    ...random.maybe(0.3, () => ({ pluginName: 'mine' })),
    ...random.maybe(0.4, () => ({ failStrategy: random.pick(['FAIL_CLOSE', 'FAIL_OPEN']) })),
    ...random.maybe(0.3, () => ({
      vmConfig: {
        env: [
          { name: 'ONE', value: '1' },
          { name: 'POD', valueFrom: 'HOST' },
        ],
      },
    })),
  };
}
