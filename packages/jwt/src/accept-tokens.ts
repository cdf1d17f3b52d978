import { type Exchange, type LocalReply, localReply, ResponseFlag } from '@ripstop/core';
import { claimAt, claimText, isHeaderValue } from './claim-header.ts';
import type { Jwt } from './jwt.ts';
import type { Provider } from './provider.ts';
import type { AcceptedToken } from './requirement.ts';
import { removeToken } from './token-places.ts';

export const FILTER_NAME = 'envoy.filters.http.jwt_authn';

/**
 * What accepted tokens do to a request: they leave it unless they are forwarded, and their claims go into headers and into metadata,
 * where RBAC and routes read them. Of several tokens the last one speaks. A reply when a claim cannot be a header.
 */
export function acceptTokens(x: Exchange, accepted: readonly AcceptedToken[]): LocalReply | undefined {
  const speakers = new Map<Provider, Jwt>();
  for (const { provider, jwt } of accepted) speakers.set(provider, jwt);
  const headers = new Map<string, string>();
  for (const [provider, jwt] of speakers) collectHeaders(provider, jwt, headers);
  for (const [name, value] of headers) if (!isHeaderValue(value)) return illegalHeader(name);

  const { path } = x.request;
  for (const { provider, place } of accepted) if (!provider.forward) removeToken(x.request, place);
  // Logs show the path before rewrites: without the token.
  if (x.originalPath === path) x.originalPath = x.request.path;
  for (const [name, value] of headers) x.request.setHeader(name, value);
  if (accepted.some(({ provider }) => provider.clearRouteCache)) x.clearRoute = true;
  const metadata = metadataOf(speakers);
  if (metadata !== undefined) {
    x.metadata ??= new Map();
    x.metadata.set(FILTER_NAME, metadata);
  }
  return undefined;
}

/** Headers that only a verified token may set; what a caller sends in them is dropped, token or not. */
export function claimedHeaders(providers: Iterable<Provider>): readonly string[] {
  const names = new Set<string>();
  for (const { payloadHeader, claimHeaders } of providers) {
    if (payloadHeader !== '') names.add(payloadHeader);
    for (const { header } of claimHeaders) names.add(header);
  }
  return [...names];
}

function collectHeaders(provider: Provider, { sections, payload }: Jwt, headers: Map<string, string>): void {
  const { payloadHeader, payloadPadded, claimHeaders } = provider;
  const encoded = sections[1];
  if (payloadHeader !== '') headers.set(payloadHeader, payloadPadded ? encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '=') : encoded);
  for (const { header, claim } of claimHeaders) {
    const text = claimText(claimAt(payload, claim));
    if (text !== '') headers.set(header, text);
  }
}

function metadataOf(speakers: ReadonlyMap<Provider, Jwt>): Readonly<Record<string, unknown>> | undefined {
  const entries: [string, unknown][] = [];
  for (const [provider, jwt] of speakers) {
    if (provider.headerMetadata !== '') entries.push([provider.headerMetadata, jwt.header]);
    if (provider.payloadMetadata !== '') entries.push([provider.payloadMetadata, splitClaims(jwt, provider)]);
  }
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** `scope: "a b"` becomes a list, so that a policy can name one of its words. */
function splitClaims({ payload }: Jwt, { spaceDelimitedClaims }: Provider): Readonly<Record<string, unknown>> {
  const names = [...spaceDelimitedClaims].filter((name) => Object.hasOwn(payload, name) && typeof payload[name] === 'string');
  if (names.length === 0) return payload;
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => {
      const words = names.includes(name) ? String(value).split(' ').filter(Boolean) : [];
      return [name, words.length > 0 ? words : value];
    }),
  );
}

/** Envoy finds it out when it sends the request on; the reply is the same. */
function illegalHeader(name: string): LocalReply {
  return localReply({
    status: 503,
    flags: ResponseFlag.DownstreamProtocolError,
    details: `filter_removed_required_request_headers{invalid_header_value_for:_${name}}`,
    body: `invalid header value for: ${name}`,
  });
}
