import type { AppendAction, HeaderOperations } from '@ripstop/core';
import { type HeaderValueOption, HeaderValueOption_HeaderAppendAction } from '@ripstop/xds-api';

interface WithHeaderOperations {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** The header operations of one level. */
export function operationsOf(message: WithHeaderOperations): HeaderOperations {
  return {
    requestAdd: message.requestHeadersToAdd.map(compileAddition),
    requestRemove: message.requestHeadersToRemove.map(removal),
    responseAdd: message.responseHeadersToAdd.map(compileAddition),
    responseRemove: message.responseHeadersToRemove.map(removal),
  };
}

const ACTIONS = new Map<number, AppendAction>([
  [HeaderValueOption_HeaderAppendAction.ADD_IF_ABSENT, 'ADD_IF_ABSENT'],
  [HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD, 'OVERWRITE_IF_EXISTS_OR_ADD'],
  [HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS, 'OVERWRITE_IF_EXISTS'],
]);

function removal(name: string): string {
  checkModifiable(name);
  return name;
}

/** Throws for headers without which a request would be none. */
export function checkModifiable(name: string): void {
  if (name.startsWith(':') || name.toLowerCase() === 'host')
    throw new Error(`header ${name} may be neither added nor removed; a host rewrite changes the host`);
}

/** A header to add. Throws when it may not be changed. */
export function compileAddition(option: HeaderValueOption): HeaderOperations['requestAdd'][number] {
  if (option.header === undefined) throw new Error('a header to add without a name');
  checkModifiable(option.header.key);
  const action = option.append === false ? 'OVERWRITE_IF_EXISTS_OR_ADD' : (ACTIONS.get(option.appendAction) ?? 'APPEND_IF_EXISTS_OR_ADD');
  return { name: option.header.key, value: option.header.value, action, keepEmpty: option.keepEmptyValue };
}
