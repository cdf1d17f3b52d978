/** What Envoy knows by OpenSSL's name; an unknown one would make it refuse the listener. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['ECDSA', 'RSA'].flatMap((key) =>
    ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305', 'AES128-SHA', 'AES256-SHA'].map((rest) => `ECDHE-${key}-${rest}`),
  ),
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA',
  'AES256-SHA',
  'DES-CBC3-SHA',
  'ALL',
  '',
]);

/** The suites of a server that are known, each once; `-` and `+` begin expressions (Istio: FilterCipherSuites). */
export function knownSuites(suites: readonly string[]): string[] {
  return [...new Set(suites.filter((suite) => KNOWN.has(suite) || !/^[\p{L}\p{N}]/u.test(suite)))];
}
