import type { Exchange, RequestHead, ResponseHead } from '../exchange.ts';
import { isJoinedHeader } from './header-matcher.ts';
import { compileHeaderValue } from './header-value.ts';
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

interface Head {
  header(name: string): string | undefined;
  setHeader(name: string, value: string): void;
  appendHeader(name: string, value: string): void;
  removeHeader(name: string): void;
}

/** Levels in the order in which they act (Envoy: weighted cluster, route, virtual host, route table). Undefined when none does anything. */
export function compileHeaderMutations(levels: readonly HeaderOperations[]): HeaderMutations | undefined {
  const request = levels.map((level) => compileLevel(level.requestAdd, level.requestRemove)).filter((apply) => apply !== undefined);
  const response = levels.map((level) => compileLevel(level.responseAdd, level.responseRemove)).filter((apply) => apply !== undefined);
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
function compileLevel(additions: readonly HeaderAddition[], removals: readonly string[]): ((x: Exchange, head: Head) => void) | undefined {
  if (additions.length === 0 && removals.length === 0) return undefined;
  const compiled = additions.map((addition) => ({
    ...addition,
    name: addition.name.toLowerCase(),
    render: compileHeaderValue(addition.value),
  }));
  const removed = removals.map((name) => name.toLowerCase());
  return (x, head) => {
    for (const name of removed) head.removeHeader(name);
    const values = compiled.map((addition) => addition.render(x, head));
    for (const [index, { name, action, keepEmpty }] of compiled.entries()) {
      const value = values[index]!;
      if (value === '' && !keepEmpty) continue;
      add(head, name, value, action);
    }
  };
}

function add(head: Head, name: string, value: string, action: AppendAction): void {
  const exists = head.header(name) !== undefined;
  switch (action) {
    case 'APPEND_IF_EXISTS_OR_ADD':
      if (!exists) head.setHeader(name, value);
      else if (isJoinedHeader(name)) head.setHeader(name, `${head.header(name)},${value}`);
      else head.appendHeader(name, value);
      return;
    case 'ADD_IF_ABSENT':
      if (!exists) head.setHeader(name, value);
      return;
    case 'OVERWRITE_IF_EXISTS_OR_ADD':
      head.setHeader(name, value);
      return;
    case 'OVERWRITE_IF_EXISTS':
      if (exists) head.setHeader(name, value);
  }
}
