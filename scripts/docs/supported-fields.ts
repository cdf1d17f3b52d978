import { KINDS, type Kind, type Schema } from '../../packages/istio-api/src/index.ts';
import { code, generatedFrom, table } from './markdown.ts';

interface Row {
  readonly parent: string;
  readonly path: string;
  readonly status: string;
  readonly note: string;
}

type ObjectSchema = Extract<Schema, { readonly type: 'object' }>;

const HEAD = `# Supported fields

What this version does with every kind and field, as it is in the code today: validation and this page are made from one table.

- **honoured**: does what Istio says, in HTTP and gRPC services and, where it applies, in the gateway.
- **ignored**: has no effect; a warning names the file, the line and the field.
- **refused**: leaving it out would be unsafe or would change what the document means. An error names file, line, field and the way out; the document is not used, and its last good version stays in force.

An unknown field, a wrong type and a value out of range are errors as well (see [errors](errors.md)). \`[]\` is each item of a list, \`.*\` each entry of a map. Where a field works but not quite as in Istio or Envoy, [differences](differences.md) says how and why.
`;

const GROUPS: readonly (readonly [title: string, belongs: (kind: Kind) => boolean])[] = [
  ['Istio', ({ group }) => group.endsWith('.istio.io')],
  ['Mesh configuration', ({ group }) => group === 'ripstop.dev'],
  ['Kubernetes Gateway API', ({ group }) => group.startsWith('gateway.networking.')],
  ['Kubernetes', ({ group }) => ['', 'discovery.k8s.io', 'apps', 'batch'].includes(group)],
];

/** docs/reference/supported-fields.md. */
export function renderSupportedFields(): string {
  const parts = GROUPS.map(([title, belongs]) => `## ${title}\n\n${KINDS.filter(belongs).map(renderKind).join('\n\n')}`);
  return `${[generatedFrom('packages/istio-api/src/schema'), HEAD + summary(), ...parts, OTHERS].join('\n\n')}\n`;
}

const OTHERS = `## Other kinds

CronJob, Ingress, NetworkPolicy and every other kind that is not listed here belong to somebody else and are left alone. A kind that does not exist in a group of Istio or of the Gateway API is an error.`;

function summary(): string {
  const rows = KINDS.map((kind) => [kindName(kind), kind.group === '' ? 'v1' : kind.group, statusOf(kind)]);
  return `\n${table(['kind', 'group', 'this version'], rows)}`;
}

function kindName({ kind, group }: Kind): string {
  return group.startsWith('gateway.') && kind === 'Gateway' ? 'Gateway (Gateway API)' : kind;
}

function statusOf({ status, closes, note = '' }: Kind): string {
  if (status === 'used')
    return note.startsWith('accepted, not looked at')
      ? 'accepted, not looked at'
      : note.startsWith('the analysis looks')
        ? 'looked at by the analysis'
        : 'honoured, by field';
  if (status === 'ignored') return 'ignored with a warning';
  return closes === undefined ? 'refused' : 'refused; what authenticates or authorizes closes its workloads';
}

function renderKind(kind: Kind): string {
  const group = kind.group === '' ? '' : `${kind.group}/`;
  const title = `### ${kindName(kind)}\n\n${kind.versions.map((version) => code(group + version)).join(', ')}. ${sentence(kind)}`.trimEnd();
  if (kind.spec === undefined && (kind.rest?.type !== 'object' || Object.keys(kind.rest.fields).length === 0)) return title;
  if (kind.status === 'refused' || (kind.status === 'ignored' && !hasRefused(kind.spec!)))
    return `${title}\n\nFields, none of which has an effect: ${leaves(kind.spec!, 'spec').map(code).join(', ')}.`;
  const rows: Row[] = [];
  const seen = new Map<object, string>();
  if (kind.spec !== undefined) children(kind.spec as ObjectSchema, 'spec', rows, seen);
  if (kind.rest?.type === 'object') children(kind.rest, '', rows, seen);
  return `${title}\n\n${table(['field', 'this version', ''], merge(rows))}`;
}

function sentence({ status, closes, note = '' }: Kind): string {
  const why = note === '' ? '' : ` ${note.charAt(0).toUpperCase()}${note.slice(1)}.`;
  if (status === 'used') return why.trim();
  if (status === 'ignored') return `**Ignored** with a warning.${why}`;
  const effect =
    closes === undefined
      ? ''
      : ' Of one that authenticates or authorizes, the selected workloads refuse every request rather than run without it.';
  return `**Refused** with an error.${effect}${why}`;
}

function children(schema: ObjectSchema, path: string, rows: Row[], seen: Map<object, string>): void {
  for (const [name, field] of Object.entries(schema.fields)) visit(field, path === '' ? name : `${path}.${name}`, rows, seen);
}

function visit(schema: Schema, path: string, rows: Row[], seen: Map<object, string>): void {
  const add = (status: string, note: string, at = path): void => {
    rows.push({ parent: at.slice(0, at.lastIndexOf('.')), path: at, status, note });
  };
  const note = schema.note ?? '';
  if (schema.support !== 'yes') {
    add(schema.support, note);
    return;
  }
  const inner = unwrap(schema, path);
  if (inner.schema.support !== 'yes') {
    add(inner.schema.support, inner.schema.note ?? note);
    return;
  }
  if (inner.schema.type !== 'object') {
    add('honoured', note || (inner.schema.note ?? ''), inner.path);
    return;
  }
  const known = seen.get(inner.schema.fields);
  if (known !== undefined) {
    add('honoured', `${note === '' ? '' : `${note}; `}fields as ${code(known)}`, inner.path);
    return;
  }
  seen.set(inner.schema.fields, inner.path);
  if (isPlain(inner.schema)) {
    const names = Object.keys(inner.schema.fields).map(code).join(', ');
    add('honoured', `${note === '' ? '' : `${note}; `}${names}`, inner.path);
    return;
  }
  if (note !== '') add('honoured', note, inner.path);
  children(inner.schema, inner.path, rows, seen);
}

/** Through lists and maps to what they hold. */
function unwrap(schema: Schema, path: string): { readonly schema: Schema; readonly path: string } {
  if (schema.type === 'list') return unwrap(schema.items, `${path}[]`);
  return schema.type === 'map' ? unwrap(schema.items, `${path}.*`) : { schema, path };
}

/** Only scalars, all honoured, nothing to say about any. */
function isPlain({ fields }: ObjectSchema): boolean {
  return Object.values(fields).every((field) => {
    const inner = unwrap(field, '').schema;
    return inner.type !== 'object' && [field, inner].every(({ support, note }) => support === 'yes' && note === undefined);
  });
}

function hasRefused(schema: Schema): boolean {
  const inner = unwrap(schema, '').schema;
  if (inner.support === 'refused') return true;
  return inner.type === 'object' && Object.values(inner.fields).some(hasRefused);
}

function leaves(schema: Schema, path: string): string[] {
  const inner = unwrap(schema, path);
  if (inner.schema.type !== 'object') return [inner.path];
  return Object.entries(inner.schema.fields).flatMap(([name, field]) => leaves(field, `${inner.path}.${name}`));
}

/** Neighbours of one parent with the same to say become one row: `a.b`, `.c`, `.d`. */
function merge(rows: readonly Row[]): string[][] {
  const merged: { first: Row; names: string[] }[] = [];
  for (const row of rows) {
    const last = merged.at(-1);
    const same = last?.first.parent === row.parent && last.first.status === row.status && last.first.note === row.note;
    if (last !== undefined && same) last.names.push(code(row.path.slice(row.parent.length)));
    else merged.push({ first: row, names: [code(row.path)] });
  }
  return merged.map(({ first, names }) => [names.join(', '), first.status, first.note]);
}
