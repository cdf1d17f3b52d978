import type { Exchange } from '../exchange.ts';
import type { Filter } from '../filter.ts';
import { type LocalReply, localReply } from '../local-reply.ts';

const NAME = 'envoy.filters.http.buffer';

const TOO_LARGE = localReply({
  status: 413,
  details: 'request_payload_too_large',
  body: 'Payload Too Large',
  headers: [['connection', 'close']],
});
const UNREADABLE = localReply({ status: 403, details: 'ripstop_body_unreadable{buffer}' });

/** Envoy's buffer filter: a request goes on when all of its body is here, and not at all when that is more than `maxBytes`. */
export function createBuffer(maxBytes: number): Filter {
  const hold = async (x: Exchange): Promise<LocalReply | undefined> => {
    const start = await x.body!.read(maxBytes);
    if (start === undefined) return UNREADABLE;
    if (!start.complete || start.bytes.length > maxBytes) return TOO_LARGE;
    return undefined;
  };
  return { name: NAME, onRequest: (x) => (x.body === undefined ? undefined : hold(x)) };
}
