import { SavedEntries } from '../state/saved-entries.ts';

/** Keys as they were fetched. */
export interface FetchedJwks {
  readonly jwks: string;
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number;
}

/** Fetched keys by source: an issuer that cannot be reached during a restart does not lock everybody out. Public keys; nothing secret. */
export function savedJwks(stateDir: string): SavedEntries<FetchedJwks> {
  return new SavedEntries(stateDir, { name: 'jwks.json', holds: 'key sets', accepts: areKeys });
}

function areKeys(value: unknown): value is FetchedJwks {
  const { jwks, fetchedAt } = (value ?? {}) as Partial<FetchedJwks>;
  return typeof jwks === 'string' && typeof fetchedAt === 'number';
}
