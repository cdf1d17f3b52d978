import { SavedEntries } from '../state/saved-entries.ts';

/** Fetched roots, PEM, by URL: a peer that cannot be reached during a restart does not lock its callers out. Public; nothing secret. */
export function savedBundles(stateDir: string): SavedEntries<string> {
  return new SavedEntries(stateDir, { name: 'spiffe-bundles.json', holds: 'roots', accepts: areRoots });
}

function areRoots(value: unknown): value is string {
  return typeof value === 'string' && value.includes('-----BEGIN CERTIFICATE-----');
}
