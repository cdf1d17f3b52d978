import { load } from './table/load.ts';
import { localReplies } from './table/local-replies.ts';
import { resilience } from './table/resilience.ts';
import { rewriting } from './table/rewriting.ts';
import { routing } from './table/routing.ts';
import { runTable } from './table/run-table.ts';

for (const table of [routing, rewriting, localReplies, resilience, load]) runTable(table);
