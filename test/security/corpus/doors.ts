import { ACCESS_SETS } from './access.ts';
import { METHOD_IDS } from './grpc.ts';
import { CALL_IDS } from './grpc-doors.ts';
import { FRAME_ATTACKS } from './h2-frames.ts';
import { SEQUENCE_IDS } from './pipelines.ts';
import type { Row } from './row.ts';
import { ROWS } from './rows.ts';

/**
 * Where a request comes in. HTTP/1.1: node:http, Express 4 and 5, Fastify 5, and Fastify 5 with a lenient router. HTTP/2: the same, and
 * both ways of node:http2. gRPC: grpc-js. Each over plaintext and mTLS.
 */
export type Door = 'HTTP/1.1' | 'HTTP/2' | 'gRPC';

const ALL: readonly Row[] = [...ROWS, ...ACCESS_SETS.flatMap(([, rows]) => rows)];
const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

/** Rows of the security page that cells of the corpus try, by door. */
export const CELLS: Readonly<Record<Door, ReadonlySet<string>>> = {
  'HTTP/1.1': new Set([...idsOf(ALL.filter(({ bytes }) => bytes !== undefined)), ...SEQUENCE_IDS]),
  'HTTP/2': new Set([...idsOf(ALL.filter(({ fields }) => fields !== undefined)), ...idsOf(FRAME_ATTACKS)]),
  gRPC: new Set([...METHOD_IDS, ...CALL_IDS]),
};
