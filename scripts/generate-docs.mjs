// Writes the generated pages of docs/reference/ (npm run docs). test/docs compares them with what the code says now.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PAGES } from './docs/pages.ts';

const dir = fileURLToPath(new URL('../docs/reference/', import.meta.url));
mkdirSync(dir, { recursive: true });
for (const [name, render] of Object.entries(PAGES)) {
  const text = render();
  const before = read(dir + name);
  if (before !== text) writeFileSync(dir + name, text);
  console.log(`docs/reference/${name}: ${before === text ? 'as it was' : 'written'}`);
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
