/** Exported to every namespace. */
export const EVERYWHERE = '*';

/** The full name of a host; a short one is a Service of that namespace. */
export function fullHost(host: string, namespace: string): string {
  return host.includes('.') || host.startsWith('*') ? host : `${host}.${namespace}.svc.cluster.local`;
}

/** Whether two hosts, each of which may begin with a wildcard, have a name in common (Istio: host.Name.Matches). */
export function hostsMeet(a: string, b: string): boolean {
  if (a.startsWith('*') && b.startsWith('*')) return a.length < b.length ? b.endsWith(a.slice(1)) : a.endsWith(b.slice(1));
  if (a.startsWith('*')) return b.endsWith(a.slice(1));
  return b.startsWith('*') ? a.endsWith(b.slice(1)) : a === b;
}

/** The namespaces that an `exportTo` names, `*` for all; `.` is the namespace of the object. */
export function exportedTo(exportTo: readonly string[] | undefined, namespace: string): readonly string[] {
  if (exportTo === undefined || exportTo.length === 0 || exportTo.includes(EVERYWHERE)) return [EVERYWHERE];
  return [...new Set(exportTo.map((entry) => (entry === '.' ? namespace : entry)))];
}
