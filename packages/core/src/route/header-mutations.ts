import type { Exchange, RequestHead, ResponseHead } from '../exchange.ts';
import { isJoinedHeader } from './header-matcher.ts';
import { compileHeaderValue, type HeaderClock } from './header-value.ts';
import type { HeaderMutations } from './route.ts';

export type AppendAction = 'APPEND_IF_EXISTS_OR_ADD' | 'ADD_IF_ABSENT' | 'OVERWRITE_IF_EXISTS_OR_ADD' | 'OVERWRITE_IF_EXISTS';

/** One header to add; `value` is a format string with %-operators. */
export interface HeaderAddition {
  readonly name: string;
  readonly value: string;
  readonly action: AppendAction;
  readonly keepEmpty: boolean;
}

/** Header operations of one level: route, virtual host, route table, weighted cluster. */
export interface HeaderOperations {
  readonly requestAdd: readonly HeaderAddition[];
  readonly requestRemove: readonly string[];
  readonly responseAdd: readonly HeaderAddition[];
  readonly responseRemove: readonly string[];
}

/** A head that can be written. */
export interface MutableHead {
  header(name: string): string | undefined;
  setHeader(name: string, value: string): void;
  appendHeader(name: string, value: string): void;
  removeHeader(name: string): void;
}

/** Levels in the order in which they act (Envoy: weighted cluster, route, virtual host, route table). Undefined when none does anything. */
export function compileHeaderMutations(
  levels: readonly HeaderOperations[],
  clock?: HeaderClock,
  place: 'route' | 'filter' = 'route',
): HeaderMutations | undefined {
  const request = levels
    .map((level) => compileLevel(level.requestAdd, level.requestRemove, isJoinedHeader, clock, place))
    .filter((apply) => apply !== undefined);
  const response = levels
    .map((level) => compileLevel(level.responseAdd, level.responseRemove, isJoinedInResponses, clock, place))
    .filter((apply) => apply !== undefined);
  if (request.length === 0 && response.length === 0) return undefined;
  return {
    onRequest: (x: Exchange, head: RequestHead) => {
      for (const apply of request) apply(x, head);
    },
    onResponse: (x: Exchange, head: ResponseHead) => {
      for (const apply of response) apply(x, head);
    },
  };
}

/** Per level: removals, then all values are computed, then additions; a value sees removals but no addition of its own level. */
function compileLevel(
  additions: readonly HeaderAddition[],
  removals: readonly string[],
  isJoined: (name: string) => boolean,
  clock: HeaderClock | undefined,
  place: 'route' | 'filter',
): ((x: Exchange, head: MutableHead) => void) | undefined {
  if (additions.length === 0 && removals.length === 0) return undefined;
  const compiled = additions.map((addition) => ({
    ...addition,
    name: addition.name.toLowerCase(),
    render: compileHeaderValue(addition.value, clock, place),
  }));
  const removed = removals.map((name) => name.toLowerCase());
  return (x, head) => {
    for (const name of removed) head.removeHeader(name);
    const changes = compiled.map((addition) => change(addition, addition.render(x, head), head));
    // Envoy overwrites first and adds then, whatever order they stand in.
    for (const [index, { name }] of compiled.entries()) if (changes[index]?.overwrites) head.setHeader(name, changes[index].value);
    for (const [index, { name }] of compiled.entries())
      if (changes[index]?.overwrites === false) add(head, name, changes[index].value, isJoined(name));
  };
}

interface HeaderChange {
  readonly value: string;
  readonly overwrites: boolean;
}

/** What becomes of an addition, by the head as it was before any of its level; undefined = nothing. */
function change({ name, action, keepEmpty }: HeaderAddition, value: string, head: MutableHead): HeaderChange | undefined {
  if (value === '' && !keepEmpty) return undefined;
  if (action === 'OVERWRITE_IF_EXISTS_OR_ADD') return { value, overwrites: true };
  if (action === 'APPEND_IF_EXISTS_OR_ADD') return { value, overwrites: false };
  const exists = head.header(name) !== undefined;
  if (action === 'ADD_IF_ABSENT') return exists ? undefined : { value, overwrites: false };
  return exists ? { value, overwrites: true } : undefined;
}

/** Headers that Envoy keeps as one value are joined, without what is empty. */
function add(head: MutableHead, name: string, value: string, joined: boolean): void {
  const before = head.header(name);
  if (before === undefined) head.setHeader(name, value);
  else if (!joined) head.appendHeader(name, value);
  else if (value !== '') head.setHeader(name, before === '' ? value : `${before},${value}`);
}

/** Of the headers that Envoy keeps as one value most are known to it in requests only. */
function isJoinedInResponses(name: string): boolean {
  return name === 'content-type' || name === 'cache-control' || name === 'via' || name === 'x-request-id';
}
