import type { Filter } from '../filter.ts';
import { localReply } from '../local-reply.ts';

/**
 * Stands where a security filter should stand that Ripstop cannot enforce: every request is refused, and the details say why.
 * What cannot be enforced is never skipped.
 */
export function createRefusal(filterName: string): Filter {
  const reply = localReply({ status: 403, details: `ripstop_unenforceable_filter{${filterName}}`, body: 'RBAC: access denied' });
  return { name: filterName, onRequest: () => reply };
}
