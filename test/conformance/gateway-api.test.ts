import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayApiRoutes, gatewayListeners, istioGateways } from '@ripstop/control-plane';
import { type GatewaySpec, type MeshObject, parseDocuments, parseDuration, type VirtualServiceSpec } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';

const folder = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance'), 'gateway-api');
const present = existsSync(folder);
if (!present) console.log(`skipped: Istio's Gateway API conversions (no ${folder})`);

/** Not compared, with the reason. */
const LEFT_OUT: readonly { readonly where: RegExp; readonly why: string }[] = [
  {
    where: /^default\/default~httpbin\.default\./,
    why: 'istiod drops a mirror to a Service that does not exist; such a mirror sends nothing',
  },
  { where: /~(infpool-multi|multi-infpool)\./, why: 'an InferencePool is no backend here' },
];

const read = (file: string): MeshObject[] =>
  [...parseDocuments(readFileSync(join(folder, file), 'utf8'), { file }).objects].sort(
    (a, b) => a.metadata.creationTimestamp - b.metadata.creationTimestamp || (key(a) < key(b) ? -1 : 1),
  );
const key = ({ metadata }: MeshObject): string => `${metadata.namespace}/${metadata.name}`;

/** With the fixture's Namespaces: each has a label with the part of its name before the first dash. */
function listenersOf(objects: readonly MeshObject[]): ReturnType<typeof gatewayListeners> {
  const names = new Set(objects.map(({ metadata }) => metadata.namespace).filter((name) => name !== ''));
  const namespaces = [...names].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'istio.io/test-name-part': name.split('-')[0] } },
  }));
  const documents = namespaces.map((object) => JSON.stringify(object)).join('\n---\n');
  return gatewayListeners([...parseDocuments(documents, { file: 'namespaces.yaml' }).objects, ...objects]);
}

/** The HTTP rules that Istio makes of an input. */
function expected(file: string): Record<string, unknown> {
  const documents = parseDocuments(readFileSync(join(folder, `${file}.golden`), 'utf8'), { file }).objects;
  const routes = documents.filter(({ kind, spec }) => {
    const { gateways, http } = spec as VirtualServiceSpec;
    return kind === 'VirtualService' && gateways !== undefined && http !== undefined;
  });
  return Object.fromEntries(
    routes.map((object) => {
      const { hosts, http } = object.spec as VirtualServiceSpec;
      // A reference that istiod refuses is empty in its document; in its routes it is UnknownService, as in ours.
      return [
        key(object),
        JSON.parse(JSON.stringify({ hosts, http }).replaceAll('"destination":{}', '"destination":{"host":"UnknownService"}')),
      ];
    }),
  );
}

/** Servers of the Istio Gateways, without those that are not opened. */
function plainServers(gateways: readonly MeshObject[]): Record<string, unknown> {
  const servers = gateways.map((object) => [key(object), (object.spec as GatewaySpec).servers] as const);
  return Object.fromEntries(servers.filter(([, list]) => list?.every(({ port }) => port.protocol === 'HTTP')));
}

/** Without what is left out; durations as milliseconds, however they are written. */
function compared(rules: Record<string, unknown>): Record<string, unknown> {
  const kept = Object.entries(rules).filter(([name]) => !LEFT_OUT.some(({ where }) => where.test(name)));
  const text = JSON.stringify(Object.fromEntries(kept), (field, value: unknown) =>
    typeof value === 'string' && ['timeout', 'perTryTimeout', 'backoff'].includes(field) ? parseDuration(value) : value,
  );
  return JSON.parse(text) as Record<string, unknown>;
}

describe.skipIf(!present)('routes of the Gateway API are what Istio makes of them', () => {
  const files = present ? readdirSync(folder).filter((file) => file.endsWith('.yaml')) : [];

  it.each(files)('%s', (file) => {
    const made = gatewayApiRoutes(read(file), listenersOf(read(file)), 'domain.suffix').map(({ namespace, name, hosts, http }) => [
      `${namespace}/${name}`,
      { hosts, http: http.map(({ route }) => route) },
    ]);
    const gateways = parseDocuments(readFileSync(join(folder, `${file}.golden`), 'utf8'), { file }).objects.filter(
      ({ kind }) => kind === 'Gateway',
    );
    expect(plainServers(istioGateways(listenersOf(read(file)), []))).toEqual(plainServers(gateways));
    expect(compared(Object.fromEntries(made))).toEqual(compared(expected(file)));
  });
});
