import { isIP } from 'node:net';
import type { Exchange } from '@ripstop/core';

/** Envoy's remote address on a sidecar: the last x-forwarded-for entry when it is an address, else the peer. */
export function remoteAddress(x: Exchange): string {
  const forwarded = x.request.header('x-forwarded-for');
  if (forwarded === undefined) return x.peer.address;
  const entries = forwarded.split(',');
  // With use_remote_address the peer is the last entry by now.
  const entry = entries[entries.length - x.manager.xffTrustedHops - 1]?.trim() ?? '';
  return isIP(entry) === 0 ? x.peer.address : entry;
}
