import type { Exchange, RequestHead } from '../exchange.ts';
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
    tellLength(x.request, start.bytes.length);
    return undefined;
  };
  return { name: NAME, onRequest: (x) => (x.body === undefined ? undefined : hold(x)) };
}

/** What was held back has a length now; a chunked body needs no chunks any more. */
function tellLength(head: RequestHead, bytes: number): void {
  if (head.header('content-length') !== undefined) return;
  head.removeHeader('transfer-encoding');
  head.setHeader('content-length', String(bytes));
}
