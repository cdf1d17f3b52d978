/** A Markdown table. Cells are not padded, so that a change of one row is a change of one line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]): string => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export const code = (text: string): string => `\`${text}\``;

/** The first line of every generated page. */
export function generatedFrom(sources: string): string {
  return `<!-- Made by \`npm run docs\` from ${sources}. Change it there. -->`;
}
