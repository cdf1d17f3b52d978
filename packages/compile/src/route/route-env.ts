import type { HeaderClock, Random } from '@ripstop/core';
import type { HttpFilters } from '../http-filters.ts';
import type { OnDemandHosts } from '../on-demand/on-demand-hosts.ts';

/** What routes are compiled with. */
export interface RouteEnv {
  readonly random: Random;
  /** For times in header values. */
  readonly clock?: HeaderClock | undefined;
  readonly filters: HttpFilters;
  /** Hosts that come one by one; absent where a table is only tried. */
  readonly onDemand?: OnDemandHosts | undefined;
  /** `inbound`: forwarding to `inbound|…` means the app of this process. */
  readonly direction: 'inbound' | 'outbound';
  /** Of this process: to a sidecar its app's calls come from there, which matters to hashes of the source address. */
  readonly ownAddress?: string | undefined;
  /** Of streams whose route says nothing of it (the connection manager's); absent or 0 = no limit. */
  readonly maxStreamDurationMs?: number | undefined;
}
