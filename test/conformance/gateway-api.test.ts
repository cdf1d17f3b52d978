import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { translateGatewayApi } from '@ripstop/control-plane';
import { type MeshObject, parseDocuments, parseDuration } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { FIXTURE } from './gateway-api-fixture.ts';

const folder = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance'), 'gateway-api');
const present = existsSync(folder);
if (!present) console.log(`skipped: Istio's Gateway API conversions (no ${folder})`);

/** What is not made here, with the reason. */
const LEFT_OUT: readonly { readonly where: RegExp; readonly why: string }[] = [
  { where: /~(infpool-multi|multi-infpool)\./, why: 'an InferencePool is no backend here: its routes answer 500, and a finding says so' },
];

type Document = Pick<MeshObject, 'apiVersion' | 'kind' | 'metadata' | 'spec'>;

const read = (file: string): readonly MeshObject[] => parseDocuments(readFileSync(join(folder, file), 'utf8'), { file }).objects;

/** The input with what Istio's own test has around it. */
function convert(file: string): Document[] {
  const input = read(file);
  const names = new Set(input.map(({ metadata }) => metadata.namespace).filter((name) => name !== ''));
  const text = readFileSync(join(folder, file), 'utf8');
  // A namespace that nothing of the input is about is none: in Istio's test there is no Namespace for it.
  const fixture = FIXTURE.filter(({ metadata }) => text.includes(`namespace: ${metadata.namespace}\n`));
  const namespaces = [...names].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'istio.io/test-name-part': name.split('-')[0] } },
  }));
  const documents = namespaces.map((object) => JSON.stringify(object)).join('\n---\n');
  const objects = [...parseDocuments(documents, { file: 'namespaces.yaml' }).objects, ...fixture, ...input];
  const { gateways, virtualServices, destinationRules } = translateGatewayApi({ objects, domain: 'domain.suffix' });
  const rules = virtualServices.map(({ object, hosts, gateways: bound, http }) => {
    const streams = object.spec.tcp !== undefined || object.spec.tls !== undefined;
    return { ...object, spec: { hosts, gateways: bound, ...(streams ? object.spec : { http: http.map(({ route }) => route) }) } };
  });
  return [...gateways, ...rules, ...destinationRules.map(({ rule }) => rule)];
}

/** What Istio makes: Gateways, VirtualServices, DestinationRules. */
function expected(file: string): readonly Document[] {
  return parseDocuments(readFileSync(join(folder, `${file}.golden`), 'utf8'), { file }).objects;
}

/** By name, in one form: durations as milliseconds, a TLS mode written out, the empty destination as the host that its routes get. */
function compared(documents: readonly Document[]): Record<string, unknown> {
  const kept = documents.map(({ kind, metadata, spec }) => {
    const service = kind === 'Gateway' ? metadata.annotations['internal.istio.io/gateway-service'] : undefined;
    return [`${kind} ${metadata.namespace}/${metadata.name}`, { spec, ...(service === undefined ? {} : { service }) }] as const;
  });
  const text = JSON.stringify(Object.fromEntries(kept.filter(([name]) => !LEFT_OUT.some(({ where }) => where.test(name)))), canonical);
  return JSON.parse(text.replaceAll('"destination":{}', '"destination":{"host":"UnknownService"}')) as Record<string, unknown>;
}

const DURATIONS: ReadonlySet<string> = new Set(['timeout', 'perTryTimeout', 'backoff', 'maxAge']);

function canonical(field: string, value: unknown): unknown {
  if (typeof value === 'string' && DURATIONS.has(field)) return parseDuration(value);
  const isServerTls = field === 'tls' && typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return isServerTls ? { mode: 'PASSTHROUGH' } : value;
}

describe.skipIf(!present)('documents of the Gateway API become what Istio makes of them', () => {
  const files = present ? readdirSync(folder).filter((file) => file.endsWith('.yaml')) : [];

  it.each(files)('%s', (file) => {
    expect(compared(convert(file))).toEqual(compared(expected(file)));
  });
});
