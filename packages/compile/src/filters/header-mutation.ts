import { createHeaderMutation, type FilterFactory, type HeaderMutationConfig, type HeaderStep } from '@ripstop/core';
import { HeaderMutationPerRoute, HttpHeaderMutation, type Mutations, typeUrlOf } from '@ripstop/xds-api';
import { checkModifiable, compileAddition } from '../header-operations.ts';
import { rawField, rawFields } from '../raw-fields.ts';

/** Levels: of a route, least specific first. */
interface Config {
  readonly levels: readonly HeaderMutationConfig[];
  readonly mostSpecificWins: boolean;
}

const MUTATIONS = 1;
/** request_mutations and response_mutations; others are younger (query parameters, trailers). */
const LAST_KNOWN = 2;

export const headerMutation: FilterFactory<Config> = {
  typeUrl: typeUrlOf(HttpHeaderMutation.$type),
  overrideTypeUrl: typeUrlOf(HeaderMutationPerRoute.$type),
  directions: ['inbound', 'outbound'],
  decode: (body) => {
    const message = HttpHeaderMutation.decode(body);
    return { levels: levelOf(message.mutations, body), mostSpecificWins: message.mostSpecificHeaderMutationsWins };
  },
  decodeOverride: (body) => ({ levels: levelOf(HeaderMutationPerRoute.decode(body).mutations, body), mostSpecificWins: false }),
  mergeOverrides: (general, specific) => ({ levels: [...general.levels, ...specific.levels], mostSpecificWins: false }),
  // Who comes last wins.
  create: ({ levels, mostSpecificWins }, override, { clock }) => {
    const routes = override?.levels ?? [];
    return createHeaderMutation([...levels, ...(mostSpecificWins ? routes : routes.toReversed())], clock);
  },
};

function levelOf(message: Mutations | undefined, body: Uint8Array): HeaderMutationConfig[] {
  if (message === undefined) return [];
  const unknown = rawField(body, MUTATIONS).flatMap((inner) => rawFields(inner).filter(({ number }) => number > LAST_KNOWN));
  if (unknown.length > 0) throw new Error('header_mutation: only request_mutations and response_mutations are supported');
  return [{ request: message.requestMutations.map(stepOf), response: message.responseMutations.map(stepOf) }];
}

function stepOf({ action }: Mutations['requestMutations'][number]): HeaderStep {
  switch (action?.$case) {
    case 'remove':
      checkModifiable(action.value);
      return { remove: action.value };
    case 'append':
      return { add: compileAddition(action.value) };
    case undefined:
      throw new Error('header_mutation: only remove and append are supported');
  }
}
