import { type HttpConnectionManager, isAuthority, type LocalReply, localReply, ResponseFlag } from '@ripstop/core';
import type { CallHead } from './call-head.ts';

const INVALID_AUTHORITY = invalid('http.invalid_authority');
const REPEATED_AUTHORIZATION = invalid('ripstop_repeated_authorization');
const UNDERSCORE = invalid('http2.unexpected_underscore');

function invalid(details: string): LocalReply {
  return localReply({ status: 400, details, body: 'Bad Request', flags: ResponseFlag.DownstreamProtocolError });
}

/** What the server of HTTP does before any filter (its settle-stream.ts), where grpc-js and node:http2 do not. */
export function settleCall(head: CallHead, underscores: HttpConnectionManager['underscores']): LocalReply | undefined {
  if (head.authority === '' || !isAuthority(head.authority)) return INVALID_AUTHORITY;
  if (head.headerLines('authorization').length > 1) return REPEATED_AUTHORIZATION;
  if (underscores === undefined) return undefined;
  return dropUnderscores(head) && underscores === 'REJECT_REQUEST' ? UNDERSCORE : undefined;
}

function dropUnderscores({ metadata }: CallHead): boolean {
  const names = Object.keys(metadata.getMap()).filter((name) => name.includes('_'));
  for (const name of names) metadata.remove(name);
  return names.length > 0;
}
