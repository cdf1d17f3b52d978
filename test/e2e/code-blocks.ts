/** A fenced code block of a Markdown text. */
export interface CodeBlock {
  /** Line of its first fence, from 1. */
  readonly line: number;
  readonly language: string;
  /** From `<!-- file: … -->` in the line before; undefined for others. */
  readonly file: string | undefined;
  readonly text: string;
}

const FENCE = '```';

/** The fenced code blocks of a Markdown text, in order. Throws for a fence that is not closed: what follows would be lost. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const lines = markdown.split('\n');
  const blocks: CodeBlock[] = [];
  for (let index = 0; index < lines.length; index++) {
    if (!lines[index]!.startsWith(FENCE)) continue;
    const end = lines.indexOf(FENCE, index + 1);
    if (end === -1) throw new Error(`line ${index + 1}: this code block is not closed`);
    blocks.push({
      line: index + 1,
      language: lines[index]!.slice(FENCE.length).trim(),
      file: /^<!-- file: (\S+) -->$/.exec(lines[index - 1] ?? '')?.[1],
      text: `${lines.slice(index + 1, end).join('\n')}\n`,
    });
    index = end;
  }
  return blocks;
}
