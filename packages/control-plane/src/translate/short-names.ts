/** `<name>.<namespace>.svc.<domain>` has short names for a client, in istiod's order; also as the host of a ServiceEntry. */
export function shortNames(hostname: string, namespace: string, domain: string): string[] {
  const suffix = `.svc.${domain}`;
  if (!hostname.endsWith(suffix)) return [];
  const short = hostname.slice(0, -suffix.length);
  const dot = short.indexOf('.');
  if (dot < 0) return [];
  return short.slice(dot + 1) === namespace ? [short.slice(0, dot), `${short}.svc`, short] : [short, `${short}.svc`];
}
