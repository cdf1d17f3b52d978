export interface SubjectAltNames {
  readonly uris: readonly string[];
  readonly dns: readonly string[];
}

/** Splits Node's `URI:…, DNS:…`; entries with awkward characters come as JSON strings, whose commas must not split. */
export function parseSubjectAltNames(text: string | undefined): SubjectAltNames {
  const uris: string[] = [];
  const dns: string[] = [];
  for (const entry of (text ?? '').match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []) {
    const trimmed = entry.trim();
    const colon = trimmed.indexOf(':');
    const raw = trimmed.slice(colon + 1);
    const value = raw.startsWith('"') ? (JSON.parse(raw) as string) : raw;
    if (trimmed.startsWith('URI:')) uris.push(value);
    else if (trimmed.startsWith('DNS:')) dns.push(value);
  }
  return { uris, dns };
}
