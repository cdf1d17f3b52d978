/**
 * A Unix socket stands where an address may stand, as its path; `@name` is an abstract one. It has no port: 0.
 */
export function isSocketPath(address: string): boolean {
  return address.startsWith('/') || address.startsWith('@');
}
