import { join } from 'node:path';
import { type ProxyNode, PushContext, parseNodes, translate } from '@ripstop/control-plane';
import { parseDocuments } from '@ripstop/istio-api';
import {
  CLUSTER_TYPE_URL,
  Cluster,
  ClusterLoadAssignment,
  ENDPOINT_TYPE_URL,
  EXTENSION_TYPE_URL,
  fromProtoJson,
  LISTENER_TYPE_URL,
  Listener,
  ROUTE_TYPE_URL,
  RouteConfiguration,
  TypedExtensionConfig,
} from '@ripstop/xds-api';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { firstDifferences, levelOne } from '../conformance/level-one.ts';
import { type Dump, IstiodProcess } from './istiod/istiod-process.ts';
import { recordedCases, recordedInput } from './istiod/recorded-case.ts';
import { FIELD_ROWS } from './table/fields.ts';

const { istiod } = inject('peers');
const { folder, names } = recordedCases();
if ('missing' in istiod) console.log(`skipped: istiod: ${istiod.missing}`);
else if (names.length === 0) console.log(`skipped: recorded inputs of meshes (no ${folder})`);

const KINDS = [
  { list: 'clusters', typeUrl: CLUSTER_TYPE_URL, codec: Cluster, key: 'name', json: 'name' },
  { list: 'endpoints', typeUrl: ENDPOINT_TYPE_URL, codec: ClusterLoadAssignment, key: 'clusterName', json: 'cluster_name' },
  { list: 'listeners', typeUrl: LISTENER_TYPE_URL, codec: Listener, key: 'name', json: 'name' },
  { list: 'routes', typeUrl: ROUTE_TYPE_URL, codec: RouteConfiguration, key: 'name', json: 'name' },
  { list: 'extensions', typeUrl: EXTENSION_TYPE_URL, codec: TypedExtensionConfig, key: 'name', json: 'name' },
] as const;

/** Fields one by one, each upon a recorded mesh: what an istiod sends for it now is what our control plane sends. */
describe.skipIf('missing' in istiod || names.length === 0)('a field, beside a real istiod', () => {
  const peer = 'path' in istiod ? new IstiodProcess(istiod.path) : undefined;
  afterAll(() => peer?.close());

  it.each(FIELD_ROWS)('$name', async (row) => {
    const base = recordedInput(join(folder, row.mesh, 'input'));
    const documents = [...base.documents, ...documentsOf(row.yaml ?? '')];
    const mesh = row.config ?? base.mesh;
    const answer = await peer!.ask({ documents, mesh, nodes: base.nodes });
    expect(answer.refused).toEqual({});
    const parsed = [parseDocuments(documents.join('\n---\n'), { file: 'all.yaml' }), parseDocuments(mesh, { file: 'mesh.yaml' })];
    expect(parsed.flatMap(({ findings }) => findings.map(({ message }) => message))).toEqual([]);
    const push = new PushContext({ objects: parsed.flatMap(({ objects }) => objects), workloads: [] });
    for (const { name, node } of parseNodes(JSON.stringify(base.nodes), 'nodes.json')) {
      if (node.dialect === 'grpc') continue;
      const found = differences(node, push, answer.nodes[name]!, row.name.startsWith('EnvoyFilter') ? undefined : NONE);
      expect(found, name).toEqual([]);
    }
  });
});

function documentsOf(yaml: string): string[] {
  return yaml.split(/^---$/m).filter((document) => /^kind:/m.test(document));
}

function differences(node: ProxyNode, push: PushContext, dump: Dump, others: ReadonlySet<string> | undefined): string[] {
  return KINDS.flatMap(({ list, typeUrl, codec, key, json }) => {
    const theirs = (dump[list] ?? []).map((resource) => fromProtoJson(codec as typeof Cluster, resource, others) as never);
    const wanted = (dump[list] ?? []).map((resource) => String(resource[json]));
    const ours = translate(typeUrl, node, push, wanted).map(({ message }) => message as never);
    return firstDifferences(reduced(ours, codec as typeof Cluster, key), reduced(theirs, codec as typeof Cluster, key)).map(
      (difference) => `${list} ${difference}`,
    );
  });
}

/** Plugins too are read as messages where we make them. */
const NONE: ReadonlySet<string> = new Set();
/** istiod here has the time of the store as the version of a plugin. */
const VERSION = 'ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION';

function reduced(messages: readonly never[], codec: typeof Cluster, key: string): Map<string, unknown> {
  return new Map(
    messages.map((message) => [
      String(message[key]),
      withoutVersions(levelOne(codec.toJSON(codec.decode(codec.encode(message).finish())))),
    ]),
  );
}

function withoutVersions(json: unknown): unknown {
  return JSON.parse(JSON.stringify(json, (key, value: unknown) => (key === VERSION ? typeof value : value)));
}
