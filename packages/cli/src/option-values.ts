import { InvalidArgumentError } from 'commander';

/** Checks `host:port`; port 0 takes any free one. */
export function parseAddress(text: string): string {
  const match = /^(\[[\da-fA-F:.]+\]|[^:\s]+):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[2]) > 65_535)
    throw new InvalidArgumentError('Give host:port, for example 127.0.0.1:15010; port 0 takes any free one.');
  return text;
}

/** Checks `http://host[:port]/path`. */
export function parseUrl(text: string): string {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ''))
    throw new InvalidArgumentError('Give a URL with its scheme, for example http://reviews:9080/reviews/1.');
  return text;
}

/** Checks a SPIFFE trust domain. */
export function parseTrustDomain(text: string): string {
  if (!/^[a-z0-9]([a-z0-9._-]{0,253}[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError('Give a name of lower-case letters, digits, "-", "_" and ".", for example cluster.local.');
  return text;
}

/** Checks a Kubernetes name: it becomes part of the SPIFFE id. */
export function parseName(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError('Give a name of lower-case letters, digits, "-" and ".", as Kubernetes takes it.');
  return text;
}

/** Adds a `name=value` label to those before it. */
export function collectLabel(text: string, before: readonly string[]): readonly string[] {
  if (!/^[^=,]+=[^,]*$/.test(text)) throw new InvalidArgumentError('Give name=value.');
  return [...before, text];
}

/** `app=reviews,version=v1`. */
export function parseLabels(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((pair) => /^([^=]+)=(.*)$/.exec(pair.trim()));
  if (pairs.includes(null)) throw new InvalidArgumentError('Give name=value,name=value.');
  return Object.fromEntries(pairs.map((pair) => [pair![1]!, pair![2]!]));
}

/** `30d`, `12h`, `15m`, `90s` or plain seconds, in seconds; at most ten years. */
export function parseTtl(text: string): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text);
  const seconds =
    match === null ? 0 : Number(match[1]) * { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }[match[2] as '' | 's' | 'm' | 'h' | 'd'];
  if (seconds < 1 || seconds > 10 * 365 * 86_400) throw new InvalidArgumentError('Give a time such as 30d, 12h, 15m or 90s.');
  return seconds;
}

/** Shorter than ten seconds a busy control plane could lose its clients. */
export function parseResourceTtl(text: string): number {
  const seconds = parseTtl(text);
  if (seconds < 10) throw new InvalidArgumentError('Give at least 10s.');
  return seconds;
}

/** Adds a header line, `name: value`, to those before it; names in lower case. */
export function collectHeader(text: string, before: readonly (readonly [string, string])[]): readonly (readonly [string, string])[] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Give "name: value".');
  return [...before, [name.toLowerCase(), value!]];
}
