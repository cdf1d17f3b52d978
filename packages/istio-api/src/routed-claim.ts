const CLAIMS = '@request.auth.claims';

/**
 * The claim that a header's name in a VirtualService stands for: `@request.auth.claims.a.b` or `@request.auth.claims[a][b]`, the prefix in
 * any case. Undefined: it is a header.
 */
export function routedClaim(name: string): readonly string[] | undefined {
  if (!name.toLowerCase().startsWith(CLAIMS)) return undefined;
  const rest = name.slice(CLAIMS.length);
  if (rest.startsWith('.') && rest.length > 1) return rest.slice(1).split('.');
  if (rest.startsWith('[') && rest.endsWith(']') && rest.length > 2) return rest.slice(1, -1).split('][');
  return undefined;
}
