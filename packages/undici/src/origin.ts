/** Where an app's request says it goes, as far as the URL tells. */
export interface Origin {
  readonly scheme: 'http' | 'https';
  /** Host without port; IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** What goes into the Host header: the port is left out when it is the scheme's default. */
  readonly authority: string;
}

const CACHE_LIMIT = 2048;

/** Parses origins and remembers them: an app calls few origins very often, and `new URL` costs more than the route match. */
export class OriginCache {
  readonly #byText = new Map<string, Origin>();

  /** Undefined when the text is no http(s) origin. */
  parse(origin: string | URL): Origin | undefined {
    const text = typeof origin === 'string' ? origin : origin.origin;
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const parsed = parseOrigin(text);
    if (parsed === undefined) return undefined;
    if (this.#byText.size >= CACHE_LIMIT) this.#byText.clear();
    this.#byText.set(text, parsed);
    return parsed;
  }
}

function parseOrigin(text: string): Origin | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  const scheme = url.protocol === 'http:' ? 'http' : 'https';
  const port = url.port === '' ? (scheme === 'http' ? 80 : 443) : Number(url.port);
  const hostname = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return { scheme, hostname, port, authority: url.host };
}
