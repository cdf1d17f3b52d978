import type { Difference } from './compare-mesh.ts';
import type { Document } from './mesh/document.ts';
import type { Mesh } from './mesh/random-mesh.ts';

/** A difference taken apart, and the mesh that it was found in. */
export interface Seen {
  /** Of the node; '' of a document that one side refuses. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of the resource: `outbound|80||db.web.svc.cluster.local`. */
  readonly resource: string;
  /** The whole of `text`. */
  readonly text: string;
  /** `.filterChains[0].name`; '' where a whole resource is missing. */
  readonly path: string;
  readonly wanted: string;
  readonly got: string;
  readonly mesh: Mesh;
}

export function seenOf({ node, where, text }: Difference, mesh: Mesh): Seen {
  const client = mesh.nodes.find(({ Name }) => Name === node);
  const [, path = '', wanted = '', got = ''] = /^(.*?): wanted (.*), got (.*)$/s.exec(text) ?? [];
  return {
    namespace: (client?.Metadata.NAMESPACE as string | undefined) ?? '',
    labels: (client?.Metadata.LABELS as Record<string, string> | undefined) ?? {},
    resource: where.split(' ').slice(2).join(' '),
    text,
    path,
    wanted,
    got,
    mesh,
  };
}

/** Documents of a kind. */
export function of({ mesh }: Seen, kind: string): readonly Document[] {
  return mesh.documents.filter((document) => document.kind === kind);
}

/** The host that a cluster is for: the last part of `outbound|80|v1|db.internal`, or of its spelling for server names. */
export function hostOf({ resource }: Seen): string {
  return (/^outbound(?:\|\d+\|[^|]*\||_\.\d+_\.[^_]*_\.)(.*)$/.exec(resource) ?? [])[1] ?? '';
}

/** The port that a resource is for, of `0.0.0.0_8080`, `outbound|80||a`, `http.8080`. */
export function portOf({ resource }: Seen): number {
  return Number(
    /^(?:out|in)bound(?:\||_\.)(\d+)/.exec(resource)?.[1] ?? /_(\d+)$/.exec(resource)?.[1] ?? /^https?\.(\d+)/.exec(resource)?.[1],
  );
}

/** A host as a rule of `namespace` writes it, whole. */
export function whole(host: string, namespace: string): string {
  return host.includes('.') || host === '*' ? host : `${host}.${namespace}.svc.cluster.local`;
}

/** One of them covers the other. */
export function covers(pattern: string, host: string): boolean {
  return pattern === host || pattern === '*' || (pattern.startsWith('*') && host.endsWith(pattern.slice(1)));
}
