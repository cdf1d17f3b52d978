import type { Exchange } from '../exchange.ts';
import type { Filter } from '../filter.ts';
import { isJoinedHeader } from '../route/header-matcher.ts';
import type { AppendAction, HeaderAddition, MutableHead } from '../route/header-mutations.ts';
import { compileHeaderValue, type HeaderClock } from '../route/header-value.ts';

/** One step: removes a header, or writes one. Each sees what those before it did. */
export type HeaderStep = { readonly remove: string } | { readonly add: HeaderAddition };

export interface HeaderMutationConfig {
  readonly request: readonly HeaderStep[];
  readonly response: readonly HeaderStep[];
}

type Step = (x: Exchange, head: MutableHead) => void;

/** Envoy's header mutation filter. `levels` act in order: the filter's own, then those of table, host and route as the filter orders them. */
export function createHeaderMutation(levels: readonly HeaderMutationConfig[], clock?: HeaderClock): Filter | undefined {
  const request = levels.flatMap((level) => level.request.map((step) => compileStep(step, clock)));
  const response = levels.flatMap((level) => level.response.map((step) => compileStep(step, clock)));
  if (request.length === 0 && response.length === 0) return undefined;
  return {
    name: 'envoy.filters.http.header_mutation',
    ...(request.length === 0
      ? {}
      : {
          onRequest: (x: Exchange) => {
            for (const step of request) step(x, x.request);
            return undefined;
          },
        }),
    ...(response.length === 0
      ? {}
      : {
          onResponse: (x: Exchange, head: MutableHead) => {
            for (const step of response) step(x, head);
          },
        }),
  };
}

function compileStep(step: HeaderStep, clock: HeaderClock | undefined): Step {
  if ('remove' in step) {
    const name = step.remove.toLowerCase();
    return (_x, head) => head.removeHeader(name);
  }
  const { action, keepEmpty } = step.add;
  const name = step.add.name.toLowerCase();
  const render = compileHeaderValue(step.add.value, clock);
  return (x, head) => {
    const value = render(x, head);
    if (value !== '' || keepEmpty) write(head, name, value, action);
  };
}

function write(head: MutableHead, name: string, value: string, action: AppendAction): void {
  const before = head.header(name);
  switch (action) {
    case 'APPEND_IF_EXISTS_OR_ADD':
      if (before === undefined) head.setHeader(name, value);
      else if (isJoinedHeader(name)) head.setHeader(name, before === '' ? value : `${before},${value}`);
      else head.appendHeader(name, value);
      return;
    case 'ADD_IF_ABSENT':
      if (before === undefined) head.setHeader(name, value);
      return;
    case 'OVERWRITE_IF_EXISTS_OR_ADD':
      head.setHeader(name, value);
      return;
    case 'OVERWRITE_IF_EXISTS':
      if (before !== undefined) head.setHeader(name, value);
  }
}
