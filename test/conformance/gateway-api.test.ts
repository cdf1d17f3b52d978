import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { meshRoutes } from '@ripstop/control-plane';
import { type MeshObject, parseDocuments, type VirtualServiceSpec } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';

const folder = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance'), 'gateway-api');
const present = existsSync(folder);
if (!present) console.log(`skipped: Istio's Gateway API conversions (no ${folder})`);

/** Not compared, with the reason. */
const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  [
    'default/default~httpbin.default.svc.domain.suffix',
    'istiod drops a mirror to a Service that does not exist; such a mirror sends nothing',
  ],
]);

const read = (file: string): MeshObject[] =>
  [...parseDocuments(readFileSync(join(folder, file), 'utf8'), { file }).objects].sort(
    (a, b) => a.metadata.creationTimestamp - b.metadata.creationTimestamp || (key(a) < key(b) ? -1 : 1),
  );
const key = ({ metadata }: MeshObject): string => `${metadata.namespace}/${metadata.name}`;

/** The HTTP rules for the mesh that Istio makes of an input. */
function expected(file: string): Record<string, unknown> {
  const documents = parseDocuments(readFileSync(join(folder, `${file}.golden`), 'utf8'), { file }).objects;
  const routes = documents.filter(({ kind, spec }) => {
    const { gateways, http } = spec as VirtualServiceSpec;
    return kind === 'VirtualService' && gateways?.includes('mesh') === true && http !== undefined;
  });
  return Object.fromEntries(
    routes.map((object) => {
      const { hosts, http } = object.spec as VirtualServiceSpec;
      return [key(object), { hosts, http }];
    }),
  );
}

describe.skipIf(!present)('routes of the Gateway API for services of the mesh are what Istio makes of them', () => {
  const files = present ? readdirSync(folder).filter((file) => file.endsWith('.yaml')) : [];

  it.each(files)('%s', (file) => {
    const made = meshRoutes(read(file), 'domain.suffix').map(({ namespace, name, hosts, http }) => [
      `${namespace}/${name}`,
      { hosts, http: http.map(({ route }) => route) },
    ]);
    const wanted = expected(file);
    const actual = Object.fromEntries(made) as Record<string, unknown>;
    for (const name of LEFT_OUT.keys()) {
      delete wanted[name];
      delete actual[name];
    }
    expect(actual).toEqual(wanted);
  });
});
