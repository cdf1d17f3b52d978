import type { Filter } from '../filter.ts';
import { localReply } from '../local-reply.ts';
import { ResponseFlag } from '../response-flags.ts';

const REPLY = localReply({ status: 500, flags: ResponseFlag.NoFilterConfigFound, details: '' });

/** Stands where a discovered filter has no configuration (Envoy's MissingConfigFilter): it may be an authorization, so every request ends. */
export function createMissingConfig(name: string): Filter {
  return { name, onRequest: () => REPLY };
}
