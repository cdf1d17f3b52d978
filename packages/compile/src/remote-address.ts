import { type Exchange, forwardedAddress } from '@ripstop/core';

/** Envoy's remote address on a sidecar: the last x-forwarded-for entry when it is an address, else the peer. */
export function remoteAddress(x: Exchange): string {
  // With use_remote_address the peer is the last entry by now.
  return forwardedAddress(x.request, x.manager.xffTrustedHops) ?? x.peer.address;
}
