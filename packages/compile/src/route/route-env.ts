import type { HeaderClock, Random } from '@ripstop/core';
import type { HttpFilters } from '../http-filters.ts';

/** What routes are compiled with. */
export interface RouteEnv {
  readonly random: Random;
  /** For times in header values. */
  readonly clock?: HeaderClock | undefined;
  readonly filters: HttpFilters;
  /** `inbound`: forwarding to `inbound|…` means the app of this process. */
  readonly direction: 'inbound' | 'outbound';
  /** Of this process: to a sidecar its app's calls come from there, which matters to hashes of the source address. */
  readonly ownAddress?: string | undefined;
}
