import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PushContext, proxyNodeOf, translate } from '@ripstop/control-plane';
import { parseDocuments } from '@ripstop/istio-api';
import { fromProtoJson, HttpConnectionManager, HttpFilter, isAny, LISTENER_TYPE_URL, type Listener, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const folder = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance'), 'authz-http');
const present = existsSync(folder);
if (!present) console.log(`skipped: Istio's authorization filters (no ${folder})`);

/** Input, expected filters in their order, trust domain with its aliases ('' = none is known). */
const CASES: readonly [input: string, outputs: readonly string[], trustDomain: string, aliases: readonly string[]][] = [
  ['allow-empty-rule', ['allow-empty-rule-out'], '', []],
  ['allow-full-rule', ['allow-full-rule-out'], '', []],
  ['allow-nil-rule', ['allow-nil-rule-out'], '', []],
  ['allow-path', ['allow-path-out'], '', []],
  ['audit-full-rule', ['audit-full-rule-out'], '', []],
  ['deny-and-allow', ['deny-and-allow-out1', 'deny-and-allow-out2'], '', []],
  ['deny-empty-rule', ['deny-empty-rule-out'], '', []],
  ['multiple-policies', ['multiple-policies-out'], '', []],
  ['single-policy', ['single-policy-out'], '', []],
  ['trust-domains', ['trust-domains-out'], '', []],
  ['simple-policy-td-aliases', ['simple-policy-td-aliases-out'], 'td1', ['cluster.local']],
  ['simple-policy-multiple-td-aliases', ['simple-policy-multiple-td-aliases-out'], 'td1', ['cluster.local', 'some-td']],
  ['simple-policy-principal-with-wildcard', ['simple-policy-principal-with-wildcard-out'], 'td1', ['foobar']],
  ['td-aliases-source-principal', ['td-aliases-source-principal-out'], 'new-td', ['old-td', 'some-trustdomain']],
];

const NODE = proxyNodeOf({
  id: 'sidecar~10.0.0.1~test-node.foo~foo.svc.cluster.local',
  metadata: { NAMESPACE: 'foo', LABELS: { app: 'httpbin', version: 'v1' } },
});

const read = (name: string): string => readFileSync(join(folder, `${name}.yaml`), 'utf8');

/** The authorization filters of a server of this workload. */
function filtersOf(input: string, trustDomain: string, trustDomainAliases: readonly string[]): unknown[] {
  const mesh = JSON.stringify({ trustDomain: trustDomain === '' ? 'unknown.test' : trustDomain, trustDomainAliases });
  const objects = [
    ...parseDocuments(read(`${input}-in`), { file: `${input}-in.yaml`, defaultNamespace: 'foo' }).objects,
    ...parseDocuments(mesh, { file: 'mesh.yaml' }).objects,
  ];
  const push = new PushContext({ objects, workloads: [] });
  const inbound = translate(LISTENER_TYPE_URL, NODE, push, []).find(({ name }) => name === 'virtualInbound')!.message as Listener;
  for (const { filters } of inbound.filterChains) {
    const config = filters.at(-1)?.configType;
    if (config?.$case !== 'typedConfig' || !isAny(HttpConnectionManager, config.value)) continue;
    const { httpFilters } = unpackAny(HttpConnectionManager, config.value);
    return httpFilters.filter(({ name }) => name === 'envoy.filters.http.rbac').map((filter) => HttpFilter.toJSON(filter));
  }
  throw new Error('no HTTP server');
}

describe.skipIf(!present)('authorization policies become the filters that Istio makes of them', () => {
  it.each(CASES)('%s', (input, outputs, trustDomain, aliases) => {
    const expected = outputs.map((name) => HttpFilter.toJSON(fromProtoJson(HttpFilter, parse(read(name)))));
    expect(filtersOf(input, trustDomain, aliases)).toEqual(expected);
  });
});
