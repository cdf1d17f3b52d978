import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Escapes what is not ASCII in built modules. V8 keeps a module's source for as long as it lives, two bytes a character when a single one
 * is beyond Latin-1: two dashes in comments of the xDS codecs were 3 MB of every process.
 */
export function writeAscii(folder) {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.mjs')) continue;
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8');
    // A backslash in front would escape the escape.
    if (/\\[^\0-\x7f]/.test(text)) throw new Error(`${file}: a character that is not ASCII behind a backslash`);
    const ascii = text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    if (ascii !== text) writeFileSync(file, ascii);
  }
}
