/** A Markdown table with padded columns, as Biome formats it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_name, column) => Math.max(3, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [cells[0]!, widths.map((width) => '-'.repeat(width)), ...cells.slice(1)].map(line).join('\n');
}

export const code = (text: string): string => `\`${text}\``;

/** The first line of every generated page. */
export function generatedFrom(sources: string): string {
  return `<!-- Made by \`npm run docs\` from ${sources}. Change it there. -->`;
}
