import { tables } from '../simulation/tables.ts';
import { runTable } from './run-table.ts';

for (const table of tables) runTable(table);
