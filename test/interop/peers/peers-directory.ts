import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where peers are kept between runs, outside the repository: RIPSTOP_PEERS_DIR, else a folder of the user's cache. */
export function peersDirectory(): string {
  const chosen = process.env.RIPSTOP_PEERS_DIR;
  return chosen === undefined || chosen === '' ? join(homedir(), '.cache', 'ripstop-peers') : chosen;
}
