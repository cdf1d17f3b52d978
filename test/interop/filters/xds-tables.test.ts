import { xdsTables } from '../../simulation/xds/tables.ts';
import { runFilterTable } from './run-filter-table.ts';

for (const table of xdsTables) runFilterTable(table);
