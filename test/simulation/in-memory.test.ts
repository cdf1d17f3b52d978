import { runTable } from './in-memory/run-table.ts';
import { tables } from './tables.ts';

for (const table of tables) runTable(table);
