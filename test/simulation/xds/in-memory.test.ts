import { runInMemory } from './run-in-memory.ts';
import { xdsTables } from './tables.ts';

for (const table of xdsTables) runInMemory(table);
