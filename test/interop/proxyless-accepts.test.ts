import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PushContext, proxyNodeOf, resourcesOfNode, type XdsResource } from '@ripstop/control-plane';
import { parseDocuments } from '@ripstop/istio-api';
import { codecOf } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';

const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance');
const cases = join(root, 'istiod-xds');
const present = existsSync(cases);
if (!present) console.log(`skipped: what grpc-js-xds takes of the recorded cases (no ${cases})`);

/** The library's own checks, which decide about ACK and NACK; not part of its public interface. */
interface ResourceType {
  decode(context: object, resource: { type_url: string; value: Uint8Array }): { readonly name: string; readonly error?: string };
}
const require = createRequire(import.meta.url);
require('@grpc/grpc-js-xds').register();
const typeOf = (file: string, name: string): ResourceType =>
  require(`@grpc/grpc-js-xds/build/src/xds-resource-type/${file}-resource-type.js`)[`${name}ResourceType`].get();
const TYPES = {
  listeners: typeOf('listener', 'Listener'),
  routes: typeOf('route-config', 'RouteConfiguration'),
  clusters: typeOf('cluster', 'Cluster'),
  endpoints: typeOf('endpoint', 'Endpoint'),
} as const;
const CONTEXT = { server: {}, bootstrap: { certificateProviders: { default: {} } } };

function refusal(type: ResourceType, { typeUrl, message }: XdsResource): string[] {
  const { error } = type.decode(CONTEXT, { type_url: typeUrl, value: Buffer.from(codecOf(typeUrl)!.encode(message).finish()) });
  return error === undefined ? [] : [error];
}

/** What the library refuses of everything that each namespace of a case can call; '' for the library's name gives istiod's shapes. */
function refused(name: string, library: string): string[] {
  const dir = join(cases, name, 'input');
  const files = readdirSync(dir).filter((file) => file.endsWith('.yaml'));
  const objects = files.flatMap((file) => parseDocuments(readFileSync(join(dir, file), 'utf8'), { file }).objects);
  const push = new PushContext({ objects, workloads: [] });
  const namespaces = new Set(push.services.map(({ namespace }) => namespace));
  const errors = [...namespaces].flatMap((namespace) => {
    const id = `sidecar~10.0.0.1~web-1.${namespace}~${namespace}.svc.cluster.local`;
    const node = { ...proxyNodeOf({ id, metadata: { GENERATOR: 'grpc' } }), userAgent: { name: library, version: '1.14.1' } };
    const resources = resourcesOfNode(node, push);
    expect(resources.listeners.length).toBeGreaterThan(0);
    return (Object.keys(TYPES) as (keyof typeof TYPES)[]).flatMap((list) =>
      resources[list].flatMap((resource) => refusal(TYPES[list], resource).map((error) => `${resource.name}: ${error}`)),
    );
  });
  return [...new Set(errors)];
}

describe.skipIf(!present)('of every recorded case grpc-js-xds takes all that its dialect says', () => {
  for (const name of present ? readdirSync(cases).filter((entry) => !entry.includes('.')) : []) {
    it(name, () => expect(refused(name, 'gRPC Node Pure JS')).toEqual([]));
  }

  it('and would refuse some of what istiod sends', () => {
    const errors = refused('traffic', '').join('\n');
    for (const text of ['unsupported lb_policy: LEAST_REQUEST', 'unsupported action: redirect']) expect(errors).toContain(text);
  });
});
