import { compression } from './table/compression.ts';
import { headerOperators } from './table/header-operators.ts';
import { localReplyConfig } from './table/local-reply-config.ts';
import { escapedSlashes, replies } from './table/replies.ts';
import type { XdsTable } from './xds-table.ts';

/** Every table of xDS text, for every runner. */
export const xdsTables: readonly XdsTable[] = [replies, ...escapedSlashes, ...compression, headerOperators, ...localReplyConfig];
