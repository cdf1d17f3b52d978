/**
 * Envoy refuses a Host with blanks, `/ # ? \ " < >` or bytes beyond ASCII. Stricter than Envoy (docs/reference/differences.md): userinfo,
 * `%`, `,` (two Host lines are joined by it), and ports that are none. An empty Host is legal.
 */
export function isAuthority(text: string): boolean {
  // Most requests name the host that the one before named.
  if (text === lastAccepted || text === '') return true;
  if (!accepts(text)) return false;
  lastAccepted = text;
  return true;
}

let lastAccepted = '';

function accepts(text: string): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[\w!$&'()*+.;=^`{|}~-]+)(?::(\d{1,5}))?$/i.exec(text);
  if (match === null) return false;
  const port = Number(match[2] ?? 1);
  return port >= 1 && port <= 65_535;
}
