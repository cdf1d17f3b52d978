import { KINDS, type Schema } from '../../packages/istio-api/src/index.ts';
import { LAXER_VALUES, STRICTER_VALUES } from '../../packages/istio-api/src/testing/stricter-values.ts';
import { code, generatedFrom, table } from './markdown.ts';

const HEAD = `# Stricter and laxer than istiod

Documents that istiod takes and we refuse, by name, and the other way round. Everything else is refused by both or by neither: \`npm run test:interop -- istiod-mutations\` changes right documents of all of Istio's kinds in one place each, asks a real istiod and us, and allows what is listed here and nothing else.`;

/** docs/reference/stricter.md. */
export function renderStricter(): string {
  const refused = KINDS.filter(
    ({ group, status }) => status === 'used' && (group.endsWith('.istio.io') || group === 'ripstop.dev'),
  ).flatMap(({ kind, spec }) => (spec === undefined ? [] : refusedFields(spec, '').map(({ path, note }) => [kind, code(path), note])));
  return `${[
    generatedFrom('packages/istio-api/src/schema and packages/istio-api/src/testing/stricter-values.ts'),
    HEAD,
    '## Fields that we refuse',
    table(['kind', 'field', 'why'], refused),
    '## Values that we refuse',
    table(
      ['kind', 'field', 'value', 'istiod', 'why'],
      STRICTER_VALUES.map(({ kind, field, value, istiod, why }) => [kind, field, value, istiod, why]),
    ),
    '## Values that only istiod refuses',
    table(
      ['kind', 'field', 'value', 'istiod', 'here'],
      LAXER_VALUES.map(({ kind, field, value, istiod, why }) => [kind, field, value, istiod, why]),
    ),
  ].join('\n\n')}\n`;
}

function refusedFields(schema: Schema, path: string): { readonly path: string; readonly note: string }[] {
  if (schema.support === 'refused') return [{ path, note: schema.note ?? '' }];
  if (schema.type === 'list') return refusedFields(schema.items, `${path}[]`);
  if (schema.type === 'map') return refusedFields(schema.items, `${path}.*`);
  if (schema.type !== 'object') return [];
  return Object.entries(schema.fields).flatMap(([name, field]) => refusedFields(field, path === '' ? name : `${path}.${name}`));
}
