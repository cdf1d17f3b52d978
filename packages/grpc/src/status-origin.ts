import grpc from '@grpc/grpc-js';
import type { ResetReason } from '@ripstop/core';

/** What a call's final status really was. grpc-js turns broken connections and unusable answers into statuses as if a server had spoken. */
export type StatusOrigin =
  /** The server's: a trailers-only answer, or trailers after a response. */
  | { readonly kind: 'answer' }
  /** An HTTP response of something that does not speak gRPC (a proxy's 503). */
  | { readonly kind: 'http'; readonly httpStatus: number }
  | { readonly kind: 'reset'; readonly reason: ResetReason; readonly transportFailure: string }
  /** This process could not go on: a message over the limit, credentials that failed. Says nothing about the endpoint. */
  | { readonly kind: 'local' };

const ANSWER: StatusOrigin = { kind: 'answer' };
const LOCAL: StatusOrigin = { kind: 'local' };

/** The texts of grpc-js 1.14 (subchannel-call, load-balancing-call, pick_first); a contract test holds it to them. */
const RESETS: readonly (readonly [RegExp, ResetReason])[] = [
  [/^Stream refused by server$/, 'refused-stream'],
  [/^Connection dropped$|ECONNRESET|ETIMEDOUT|EPIPE|^Write (?:error|failed)|^Failed to start HTTP\/2 stream/, 'connection-termination'],
  [/triggered by internal client error|^No status information received$/, 'protocol-error'],
  [/^Received RST_STREAM with code|^Call cancelled$|^Bandwidth exhausted|^Protocol not secure enough$/, 'remote-reset'],
  [/^Channel closed before call started$/, 'local-reset'],
];
const HTTP_STATUS = /^Received HTTP status code (\d{3})$/;
const UNRESOLVED = /^Name resolution failed/;
const NO_CONNECTION = /No connection established|^Name resolution failed/;

/** Envoy's words for a name that nobody has; grpc-js does not tell of other reasons. */
export const NAME_NOT_FOUND = 'cares_norecords:Domain_name_not_found';

/** The host that was dialled has no address. */
export function isUnresolved({ code, details }: grpc.StatusObject): boolean {
  return code === grpc.status.UNAVAILABLE && UNRESOLVED.test(details);
}

/** Of a status that ends an attempt before any response headers of a gRPC server. */
export function originOfStatus(status: grpc.StatusObject): StatusOrigin {
  const http = HTTP_STATUS.exec(status.details);
  if (http !== null) return { kind: 'http', httpStatus: Number(http[1]) };
  // A trailers-only answer carries the response's headers, content-type always among them; grpc-js's own statuses carry none.
  if (status.metadata.get('content-type').length > 0) return ANSWER;
  return ownStatus(status) ?? LOCAL;
}

/** Of a status that ends an attempt after its response headers: trailers may be empty, so only grpc-js's own texts tell a break. */
export function originOfTrailers(status: grpc.StatusObject): StatusOrigin {
  if (status.code === grpc.status.OK || Object.keys(status.metadata.getMap()).length > 0) return ANSWER;
  return ownStatus(status) ?? ANSWER;
}

function ownStatus({ details }: grpc.StatusObject): StatusOrigin | undefined {
  if (NO_CONNECTION.test(details)) return connectFailure(details);
  for (const [text, reason] of RESETS) if (text.test(details)) return { kind: 'reset', reason, transportFailure: '' };
  return undefined;
}

const TLS_FAILURE = /TLS_error:.*?(?=\. Resolution note:|$)/;
const SYSTEM_TEXTS: readonly (readonly [string, string])[] = [
  ['ECONNREFUSED', 'delayed_connect_error:_Connection_refused'],
  ['EHOSTUNREACH', 'delayed_connect_error:_No_route_to_host'],
  ['ENETUNREACH', 'immediate_connect_error:_Network_is_unreachable'],
  ['ECONNRESET', 'delayed_connect_error:_Connection_reset_by_peer'],
];

function connectFailure(details: string): StatusOrigin {
  const tls = TLS_FAILURE.exec(details);
  if (tls !== null) return { kind: 'reset', reason: 'tls-failure', transportFailure: tls[0] };
  const known = SYSTEM_TEXTS.find(([code]) => details.includes(code));
  return { kind: 'reset', reason: 'connect-failure', transportFailure: known?.[1] ?? 'remote_connection_failure' };
}
