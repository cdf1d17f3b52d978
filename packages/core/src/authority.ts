/**
 * Envoy refuses a Host with blanks, `/ # ? \ " < >` or bytes beyond ASCII. Stricter than Envoy (docs/reference/differences.md): userinfo,
 * `%`, `,` (two Host lines are joined by it), and ports that are none. An empty Host is legal.
 */
export function isAuthority(text: string): boolean {
  // Most requests name the host that the one before named.
  if (text === lastAccepted) return true;
  if (!accepts(text)) return false;
  lastAccepted = text;
  return true;
}

let lastAccepted = '';

function accepts(text: string): boolean {
  if (text === '') return true;
  const match = /^(\[[0-9a-f:.]+\]|[\w!$&'()*+.;=^`{|}~-]+)(?::(\d{1,5}))?$/i.exec(text);
  return match !== null && Number(match[2] ?? 1) >= 1 && Number(match[2] ?? 1) <= 65_535;
}
