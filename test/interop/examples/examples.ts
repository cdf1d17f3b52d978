import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Document } from '../istiod/mesh/document.ts';

export interface Example {
  readonly name: string;
  readonly documents: readonly Document[];
}

/** The peer's fake API server does not come to rest with a Gateway that names a Service of another domain. */
const RESTLESS = /kube\/gateway\/testdata\/multi-gateway\.yaml$/;

/** Every YAML file under a folder, as an example. Files with placeholders, or without anything that istiod reads, are none. */
export function examplesUnder(folder: string): Example[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml') && !RESTLESS.test(name))
    .sort()
    .flatMap((name) => {
      const documents = documentsIn(readFileSync(join(folder, name), 'utf8'));
      return documents === undefined || documents.length === 0 ? [] : [{ name, documents }];
    });
}

const OF_CLUSTER: ReadonlySet<string> = new Set([
  'Namespace',
  'Node',
  'GatewayClass',
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleBinding',
]);

/** What istiod reads, and what pods are made of. */
const READ = /^(?:v1|apps\/v1|[a-z.]*\.istio\.io\/.*|gateway\.networking\.(?:k8s|x-k8s)\.io\/.*)$/;

function documentsIn(text: string): Document[] | undefined {
  if (/\{\{/.test(text)) return undefined;
  const parsed = parseAllDocuments(text, { version: '1.1' });
  if (parsed.some(({ errors }) => errors.length > 0)) return undefined;
  return parsed
    .map((document) => document.toJS() as (Document & { items?: Document[] }) | null)
    .flatMap((document) => (document?.kind === 'List' ? (document.items ?? []) : document === null ? [] : [document]))
    .filter(
      ({ apiVersion, kind, metadata }) =>
        typeof kind === 'string' && metadata?.name !== undefined && READ.test(apiVersion) && kind !== 'IstioOperator',
    )
    .map((document) =>
      OF_CLUSTER.has(document.kind)
        ? document
        : { ...document, metadata: { ...document.metadata, namespace: document.metadata.namespace ?? 'default' } },
    );
}
