import { type Finding, KINDS } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { ObjectStore, type StoreState } from './object-store.ts';

const gateway = (label: string): string =>
  `{ selector: { a: ${label} }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }`;

/** A document of each kind that is honoured: its API, a spec, another one, and one that is wrong. */
const DOCUMENTS: readonly (readonly [kind: string, api: string, first: string, second: string, wrong: string])[] = [
  [
    'VirtualService',
    'networking.istio.io/v1',
    '{ hosts: [a], http: [{ redirect: { uri: /a } }] }',
    '{ hosts: [b], http: [{ redirect: { uri: /b } }] }',
    '{ hosts: [a], htpp: [] }',
  ],
  ['DestinationRule', 'networking.istio.io/v1', '{ host: a }', '{ host: b }', '{ host: [a] }'],
  ['Gateway', 'networking.istio.io/v1', gateway('b'), gateway('c'), '{ selector: b }'],
  ['ServiceEntry', 'networking.istio.io/v1', '{ hosts: [a.b] }', '{ hosts: [a.c] }', '{ hosts: ["*"] }'],
  ['WorkloadEntry', 'networking.istio.io/v1', '{ address: 10.0.0.1 }', '{ address: 10.0.0.2 }', '{ adress: 10.0.0.1 }'],
  [
    'EnvoyFilter',
    'networking.istio.io/v1alpha3',
    '{ priority: 1, configPatches: [{ applyTo: CLUSTER, patch: { operation: REMOVE } }] }',
    '{ priority: 2, configPatches: [{ applyTo: CLUSTER, patch: { operation: REMOVE } }] }',
    '{ priority: 1, configPatches: [{ applyTo: CLUSTR }] }',
  ],
  [
    'WorkloadGroup',
    'networking.istio.io/v1',
    '{ template: { serviceAccount: a } }',
    '{ template: { serviceAccount: b } }',
    '{ template: { serviceAcount: a } }',
  ],
  [
    'Sidecar',
    'networking.istio.io/v1',
    '{ egress: [{ hosts: ["./*"] }] }',
    '{ egress: [{ hosts: ["*/*"] }] }',
    '{ egress: { hosts: ["./*"] } }',
  ],
  ['AuthorizationPolicy', 'security.istio.io/v1', '{ action: DENY, rules: [{}] }', '{ action: ALLOW, rules: [{}] }', '{ action: DNEY }'],
  ['PeerAuthentication', 'security.istio.io/v1', '{ mtls: { mode: STRICT } }', '{ mtls: { mode: DISABLE } }', '{ mtls: { mode: STRIKT } }'],
  [
    'RequestAuthentication',
    'security.istio.io/v1',
    '{ jwtRules: [{ issuer: a }] }',
    '{ jwtRules: [{ issuer: b }] }',
    '{ jwtRules: [{ issuer: "" }] }',
  ],
  [
    'Telemetry',
    'telemetry.istio.io/v1',
    '{ tracing: [{ randomSamplingPercentage: 1 }] }',
    '{ tracing: [{ randomSamplingPercentage: 2 }] }',
    '{ tracing: [{ randomSamplingPercentage: 200 }] }',
  ],
  [
    'HTTPRoute',
    'gateway.networking.k8s.io/v1',
    '{ parentRefs: [{ name: a }] }',
    '{ parentRefs: [{ name: b }] }',
    '{ parentRefs: [{ nam: a }] }',
  ],
  [
    'TLSRoute',
    'gateway.networking.k8s.io/v1alpha2',
    '{ parentRefs: [{ name: a }], rules: [{ backendRefs: [{ name: b, port: 1 }] }], hostnames: [a.example] }',
    '{ parentRefs: [{ name: b }], rules: [{ backendRefs: [{ name: b, port: 1 }] }], hostnames: [a.example] }',
    '{ parentRefs: [{ nam: a }] }',
  ],
  [
    'TCPRoute',
    'gateway.networking.k8s.io/v1alpha2',
    '{ parentRefs: [{ name: a }], rules: [{ backendRefs: [{ name: b, port: 1 }] }] }',
    '{ parentRefs: [{ name: b }], rules: [{ backendRefs: [{ name: b, port: 1 }] }] }',
    '{ parentRefs: [{ nam: a }] }',
  ],
  [
    'Gateway',
    'gateway.networking.k8s.io/v1',
    '{ gatewayClassName: a, listeners: [{ name: a, port: 80, protocol: HTTP }] }',
    '{ gatewayClassName: b, listeners: [{ name: a, port: 80, protocol: HTTP }] }',
    '{ gatewayClassName: 1 }',
  ],
  ['WasmPlugin', 'extensions.istio.io/v1alpha1', '{ url: "oci://a/b" }', '{ url: "oci://a/c" }', '{ url: "ftp://a/b" }'],
  [
    'TrafficExtension',
    'extensions.istio.io/v1alpha1',
    '{ wasm: { url: "oci://a/b" } }',
    '{ lua: { inlineCode: a } }',
    '{ lua: { inlineCode: a }, wasm: { url: "oci://a/b" } }',
  ],
  ['Service', 'v1', '{ ports: [{ port: 80, name: http }] }', '{ ports: [{ port: 81, name: http }] }', '{ ports: [{ port: 0 }] }'],
];

describe.each(DOCUMENTS)('a bad edit of a %s (%s)', (kind, api, first, second, wrong) => {
  const document = (spec: string, name = 'x'): string => `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
  const steps = (...folders: readonly Readonly<Record<string, string>>[]): StoreState => {
    const store = new ObjectStore();
    let state = store.state();
    for (const folder of folders) state = store.update(Object.entries(folder).map(([name, text]) => ({ name, text }))) ?? state;
    return state;
  };
  const spec = (text: string): unknown => steps({ 'a.yaml': document(text) }).objects[0]!.spec;
  const inForce = ({ objects }: StoreState): [string, unknown][] => objects.map((object) => [object.metadata.name, object.spec]);
  const told = (state: StoreState): Finding[] => state.findings.filter(({ code }) => code === 'RIPSTOP_LAST_GOOD');

  it.each([
    ['in its place', { 'a.yaml': document(wrong) }],
    ['beside a new document', { 'a.yaml': `${document(second, 'w')}---\n${document(wrong)}` }],
    ['that loses its name', { 'a.yaml': document(second).replace('{ name: x }', '{}') }],
    ['that renames it', { 'a.yaml': document(wrong, 'z') }],
    ['that moves it to another file', { 'b.yaml': document(wrong) }],
    ['that moves it beside others', { 'a.yaml': document(second, 'w'), 'b.yaml': document(wrong) }],
    ['with a tab', { 'a.yaml': document(second).replace('spec: ', 'spec:\n\ta: ') }],
    ['with an alias of nothing', { 'a.yaml': `${document(second)}x: *nothing\n` }],
    ['that is half written', { 'a.yaml': document(second).slice(0, -3) }],
    ['with a second document that is half written', { 'a.yaml': `---\napiVersion: ${api}\nkind: ${kind}\nmeta` }],
    ['of the wrong version', { 'a.yaml': document(second).replace(api, `${api}z`.replace('v1z', 'v9')) }],
  ])('%s leaves the version before in force, and says so', (_how, after) => {
    const state = steps({ 'a.yaml': document(first) }, after);
    expect(inForce(state)).toContainEqual(['x', spec(first)]);
    expect(told(state).map(({ object }) => object)).toEqual([`${kind} default/x`]);
    expect(state.findings.some(({ severity, position }) => severity === 'error' && position.line > 0)).toBe(true);
  });

  it('stays through further edits of others, and ends when it is corrected', () => {
    const moved = { 'b.yaml': document(wrong) };
    const [a, b, c] = [
      steps({ 'a.yaml': document(first) }, moved, { ...moved, 'c.yaml': document(second, 'w') }),
      steps({ 'a.yaml': document(first) }, moved, { 'b.yaml': document(second) }),
      steps({ 'a.yaml': document(first) }, moved, {}),
    ];
    expect(inForce(a!).sort()).toEqual([
      ['w', spec(second)],
      ['x', spec(first)],
    ]);
    expect([inForce(b!), told(b!)]).toEqual([[['x', spec(second)]], []]);
    expect(inForce(c!)).toEqual([]);
  });

  it('of one of two files with the object: the first in order counts, with its last good version', () => {
    const both = { 'a.yaml': document(first), 'b.yaml': document(second) };
    expect(inForce(steps(both))).toEqual([['x', spec(first)]]);
    expect(inForce(steps(both, { ...both, 'a.yaml': document(wrong) }))).toEqual([['x', spec(first)]]);
    expect(inForce(steps(both, { ...both, 'b.yaml': document(wrong) }))).toEqual([['x', spec(first)]]);
    expect(inForce(steps(both, { 'b.yaml': document(second) }))).toEqual([['x', spec(second)]]);
    expect(inForce(steps({ 'a.yaml': document(first) }, { 'a.yaml': document(first), 'b.yaml': document(wrong) }))).toEqual([
      ['x', spec(first)],
    ]);
  });

  it('is none: a byte order mark, CRLF, anchors, a renamed file, a renamed object', () => {
    const good: readonly Readonly<Record<string, string>>[] = [
      { 'a.yaml': `\ufeff${document(second)}` },
      { 'a.yaml': document(second).replaceAll('\n', '\r\n') },
      { 'a.yaml': document(second).replace('spec: ', 'spec: &all ') },
      { 'other.yaml': document(second) },
    ];
    for (const after of good) {
      const state = steps({ 'a.yaml': document(first) }, after);
      expect([inForce(state), told(state)]).toEqual([[['x', spec(second)]], []]);
    }
    expect(inForce(steps({ 'a.yaml': document(first) }, { 'a.yaml': document(second, 'z') }))).toEqual([['z', spec(second)]]);
    expect(inForce(steps({ 'a.yaml': document(first) }, { 'a.yaml': '' }))).toEqual([]);
  });
});

describe('a bad edit', () => {
  it('is tried for every kind that changes what the mesh does', () => {
    const tried = new Set(DOCUMENTS.map(([kind, api]) => `${api.includes('/') ? api.split('/')[0] : ''} ${kind}`));
    // Read by others: nothing in force but what they say about Services and Gateways.
    const others = [
      'EndpointSlice',
      'Pod',
      'Node',
      'Namespace',
      'ServiceAccount',
      'Secret',
      'ConfigMap',
      'GatewayClass',
      'GRPCRoute',
      'ReferenceGrant',
      'BackendTLSPolicy',
      'MeshConfig',
    ];
    const missing = KINDS.filter(
      ({ status, keep, group, kind }) => status === 'used' && keep === undefined && !tried.has(`${group} ${kind}`),
    );
    expect(missing.map(({ kind }) => kind).filter((kind) => !others.includes(kind))).toEqual([]);
  });

  it('with brackets without end is refused at once', () => {
    const { findings } = new ObjectStore().update([{ name: 'a.yaml', text: `a:\n  ${'['.repeat(200_000)}` }])!;
    expect(findings.map(({ code, position, message }) => [code, position.line, position.column, message])).toEqual([
      ['RIPSTOP_YAML', 2, 1003, 'brackets are nested deeper than 1000; the text is not used'],
    ]);
  });
});
