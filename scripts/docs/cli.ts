import type { createProgram } from '../../packages/cli/src/program.ts';
import { generatedFrom } from './markdown.ts';

type Command = ReturnType<typeof createProgram>;

/** docs/reference/cli.md, from commander's own help of each command. */
export function renderCli(program: Command): string {
  const commands = program.commands.map((command) => `## ripstop ${command.name()}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``);
  return `${generatedFrom("packages/cli's own help")}

# Command line

From a checkout \`npm run ripstop -- <command>\`, installed \`npx ripstop <command>\`.

\`\`\`text
${helpOf(program)}
\`\`\`

${commands.join('\n\n')}
`;
}

/** At one width, whatever the terminal. */
function helpOf(command: Command): string {
  let text = '';
  command.configureHelp({ helpWidth: 110 }).configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text.trimEnd();
}
