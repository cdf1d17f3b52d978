import type { Exchange, ResponseHead } from '../exchange.ts';
import type { Filter } from '../filter.ts';

/** How a response body is encoded on its way to the caller; drivers do it. */
export type ContentCoding =
  | { readonly name: 'gzip'; readonly level: number; readonly windowBits: number; readonly memoryLevel: number; readonly strategy: number }
  | { readonly name: 'br'; readonly quality: number; readonly windowBits: number; readonly mode: number }
  | { readonly name: 'zstd'; readonly level: number; readonly checksum: boolean };

/** Envoy's compressor filter, for responses. */
export interface CompressorConfig {
  readonly coding: ContentCoding;
  readonly enabled: boolean;
  /** Shorter bodies stay as they are; those whose length is not known do not. */
  readonly minimumBytes: number;
  /** Lower case, without parameters; none = any. */
  readonly contentTypes: ReadonlySet<string>;
  readonly disableOnEtag: boolean;
  /** The upstream is not asked to encode. */
  readonly removeAcceptEncoding: boolean;
  readonly uncompressibleStatus: ReadonlySet<number>;
  /** Of codings that the caller likes equally this one is taken, not the first that it names. */
  readonly chooseFirst: boolean;
}

/** A compressor that a request has passed; the one that the caller likes best encodes. */
export interface OfferedCoding {
  readonly name: string;
  readonly contentTypes: ReadonlySet<string>;
  /** It is taken of those that the caller likes equally. */
  readonly first: boolean;
}

const NAME = 'envoy.filters.http.compressor';
const IDENTITY = 'identity';
const ANY = '*';

/** Undefined where it is off. It acts on what upstreams and apps answer, in drivers that can encode. */
export function createCompressor(config: CompressorConfig): Filter | undefined {
  const { enabled, removeAcceptEncoding } = config;
  if (!enabled) return undefined;
  const offer: OfferedCoding = { name: config.coding.name, contentTypes: config.contentTypes, first: config.chooseFirst };
  return {
    name: NAME,
    onRequest: (x) => {
      if (!x.encodesResponses) return undefined;
      x.acceptEncoding ??= x.request.header('accept-encoding');
      x.offeredCodings = [...(x.offeredCodings ?? []), offer];
      if (removeAcceptEncoding) x.request.removeHeader('accept-encoding');
      return undefined;
    },
    onResponse: (x, head) => encode(x, head, config),
  };
}

function encode(x: Exchange, head: ResponseHead, config: CompressorConfig): void {
  // Replies of the mesh itself go out as they are.
  if (x.offeredCodings === undefined || x.details !== '' || !isEncodable(x, head, config)) return;
  const { coding } = config;
  if (
    !isBodiless(x, head) &&
    chosenCoding(x.acceptEncoding, x.offeredCodings, mediaType(head)) === coding.name &&
    !isTransferEncoded(head)
  ) {
    weaken(head);
    head.removeHeader('content-length');
    head.setHeader('content-encoding', coding.name);
    x.responseCoding = coding;
  }
  // Also when this caller does not want it: caches must not give its copy to one that does.
  vary(head);
}

function isEncodable(x: Exchange, head: ResponseHead, config: CompressorConfig): boolean {
  const { minimumBytes, contentTypes, disableOnEtag, uncompressibleStatus } = config;
  const length = head.header('content-length');
  if (length !== undefined && !(Number(length) >= minimumBytes)) return false;
  if (x.request.header('upgrade') !== undefined || head.status === 101) return false;
  const type = mediaType(head);
  if (type !== undefined && contentTypes.size > 0 && !contentTypes.has(type)) return false;
  if (hasToken(head.header('cache-control'), 'no-transform')) return false;
  if (disableOnEtag && head.header('etag') !== undefined) return false;
  return head.header('content-encoding') === undefined && !uncompressibleStatus.has(head.status);
}

/**
 * The coding that a caller likes best of those on offer, by Envoy's reading of Accept-Encoding: the highest q, of equals the first; `*` is
 * whatever is offered first; a coding with q=0 is not offered at all. Undefined: the body as it is.
 */
export function chosenCoding(accept: string | undefined, offers: readonly OfferedCoding[], type: string | undefined): string | undefined {
  if (accept === undefined) return undefined;
  const wanted = accept.split(',').flatMap(preference);
  const refused = new Set(wanted.filter(([, q]) => q === 0).map(([name]) => name));
  const allowed = offers
    .filter(({ name, contentTypes }) => !refused.has(name) && (type === undefined || contentTypes.size === 0 || contentTypes.has(type)))
    .map(({ name }) => name);
  if (allowed.length === 0) return undefined;
  let best: string | undefined;
  let highest = 0;
  for (const [name, q] of wanted) {
    const preferred = q === highest && q > 0 && offers.some((offer) => offer.first && offer.name === name);
    if ((q <= highest && !preferred) || !(name === IDENTITY || name === ANY || allowed.includes(name))) continue;
    best = name;
    highest = q;
  }
  if (best === ANY) return allowed[0];
  return best === IDENTITY ? undefined : best;
}

/** One element of Accept-Encoding with its q; none when that is no number. */
function preference(element: string): (readonly [name: string, q: number])[] {
  const [name = '', parameter] = element.split(/;(.*)/s);
  if (element.trim() === '') return [];
  const equals = parameter?.indexOf('=') ?? -1;
  if (parameter === undefined || equals === -1 || parameter.slice(0, equals).trim().toLowerCase() !== 'q') return [[name.trim(), 1]];
  const q = Number(parameter.slice(equals + 1).trim() || 'none');
  return Number.isNaN(q) ? [] : [[name.trim(), q]];
}

function mediaType(head: ResponseHead): string | undefined {
  const value = head.header('content-type');
  return value === undefined ? undefined : value.split(';', 1)[0]!.trim().toLowerCase();
}

function hasToken(value: string | undefined, token: string): boolean {
  return value?.split(',').some((element) => element.trim().toLowerCase() === token) ?? false;
}

function isTransferEncoded(head: ResponseHead): boolean {
  const value = head.header('transfer-encoding');
  return ['gzip', 'deflate', 'br', 'zstd'].some((coding) => hasToken(value, coding));
}

function isBodiless({ request }: Exchange, { status }: ResponseHead): boolean {
  return request.method === 'HEAD' || status === 204 || status === 304;
}

/** A strong validator speaks of the bytes, which are others now. */
function weaken(head: ResponseHead): void {
  const etag = head.header('etag');
  if (etag !== undefined && !/^w\//i.test(etag)) head.removeHeader('etag');
}

function vary(head: ResponseHead): void {
  const before = head.header('vary');
  if (before === undefined) head.setHeader('vary', 'Accept-Encoding');
  // As Envoy, which looks for exactly this spelling.
  else if (!before.split(',').some((name) => name.trim() === 'Accept-Encoding')) head.setHeader('vary', `${before}, Accept-Encoding`);
}
