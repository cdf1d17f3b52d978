import { code, generatedFrom, table } from './markdown.ts';
import { OTHER_OPTIONS, OTHER_VARIABLES, SETTINGS } from './setting-rows.ts';

/** docs/reference/settings.md. */
export function renderSettings(): string {
  const settings = table(
    ['option', 'variable', 'meaning', 'default'],
    SETTINGS.map(({ option, variables, meaning, fallback }) => [
      option === undefined ? '' : code(option),
      variables.map(code).join(', '),
      meaning,
      fallback,
    ]),
  );
  const others = table(
    ['call', 'option', 'meaning', 'default'],
    OTHER_OPTIONS.map(({ of, option, meaning, fallback }) => [code(of), code(option), meaning, fallback]),
  );
  const variables = table(
    ['variable', 'meaning'],
    OTHER_VARIABLES.map(({ variable, meaning }) => [code(variable), meaning]),
  );
  return `${generatedFrom('scripts/docs/setting-rows.ts; a test compares it with packages/node/src/settings.ts')}

# Settings

Options of \`createMesh()\` come first, then the environment, then the default. An option that does not exist, and a value that cannot be used, is an error that names the setting ([RIPSTOP_BAD_SETTING](errors.md)). \`ripstop run\` sets the variables of who and where; what the control plane is told by is its [command line](cli.md).

${settings}

## Options of single calls

${others}

## Other variables

${variables}
`;
}
