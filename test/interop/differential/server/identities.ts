/** Who calls over mTLS. */
export const CALLERS = [
  'spiffe://cluster.local/ns/default/sa/client',
  'spiffe://cluster.local/ns/other/sa/client',
  'spiffe://old-td/ns/default/sa/client',
] as const;

/** Whose workload is called. */
export const SERVED = 'spiffe://cluster.local/ns/default/sa/served';
