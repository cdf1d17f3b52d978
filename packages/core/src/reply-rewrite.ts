import type { Exchange, ResponseHead } from './exchange.ts';
import { grpcStatusOfHttp, type LocalReply } from './local-reply.ts';
import type { Clock } from './ports.ts';
import type { ExchangeFilter, HeaderMutations } from './route/route.ts';
import type { LogEntry } from './substitution/operators.ts';

/** What a reply of the mesh's own becomes. Its head is changed, its other parts are answered. */
export type ReplyRewrite = (x: Exchange, reply: LocalReply, head: ResponseHead) => LocalReply;

/** How a reply's body is written (Envoy's body_format). */
export interface ReplyFormat {
  readonly contentType: string;
  readonly render: (entry: LogEntry) => string;
}

/** Envoy's ResponseMapper: what replies of one kind become. Undefined = stays. */
export interface ReplyMapper {
  readonly matches: ExchangeFilter;
  readonly status: number | undefined;
  readonly body: string | undefined;
  readonly headers: HeaderMutations | undefined;
  readonly format: ReplyFormat | undefined;
}

const AS_IT_IS: ReplyFormat = { contentType: 'text/plain', render: ({ localReplyBody = '' }) => localReplyBody };

/** Envoy's local_reply_config: the first mapper that matches acts; the body is written in its format, else in `format`. */
export function createReplyRewrite(
  mappers: readonly ReplyMapper[],
  format: ReplyFormat | undefined,
  clock: Pick<Clock, 'now' | 'wallTime'>,
): ReplyRewrite {
  return (x, reply, head) => {
    // Envoy answers preflights by another way.
    if (reply.details === 'cors_response') return reply;
    const contentTypeBefore = head.header('content-type');
    const mapper = mappers.find(({ matches }) => matches(x, entryOf(x, reply, head, clock).outcome));
    mapper?.headers?.onResponse(x, head);
    if (mapper?.status !== undefined) head.status = mapper.status;
    const said = { ...reply, status: head.status, body: mapper?.body ?? reply.body };
    const { contentType, render } = mapper?.format ?? format ?? AS_IT_IS;
    const body = inOneLine(x, contentType, render(entryOf(x, said, head, clock)));
    const changed = body !== reply.body;
    const contentTypeNow = head.header('content-type');
    if (body !== '' && (contentTypeNow === undefined || (changed && contentTypeNow === contentTypeBefore)))
      head.setHeader('content-type', contentType);
    return { ...said, body, bytes: changed ? undefined : reply.bytes };
  };
}

/** The line that JSON is has an end; in the head of a gRPC answer Envoy takes it off, by the content type. */
function inOneLine({ protocol }: Exchange, contentType: string, body: string): string {
  return protocol === 'grpc' && contentType === 'application/json' && body.endsWith('\n') ? body.slice(0, -1) : body;
}

/** A reply as its connection manager wants it. To be called between the route's operations on the head and the filters. */
export function rewrittenReply(x: Exchange, reply: LocalReply, head: ResponseHead): LocalReply {
  return x.manager.rewriteReply === undefined ? reply : x.manager.rewriteReply(x, reply, head);
}

function entryOf(x: Exchange, reply: LocalReply, { status }: ResponseHead, clock: Pick<Clock, 'now' | 'wallTime'>): LogEntry {
  const endedAt = clock.now();
  const grpcStatus = x.protocol === 'grpc' ? (reply.grpcStatus ?? grpcStatusOfHttp(status)) : undefined;
  const outcome = { status, grpcStatus, requestBytes: 0, responseBytes: 0, endedAt };
  return { x, outcome, startedAtWall: clock.wallTime() - (endedAt - x.startedAt), localReplyBody: reply.body };
}
