import { type Document, isMap, isScalar } from 'yaml';
import { nullPaths } from './null-checks.ts';
import type { Finding, MeshObject, ObjectMeta, SourcePosition } from './object.ts';
import type { Path } from './path.ts';
import { readPlainYaml } from './plain-yaml.ts';
import { KINDS, kindOf } from './schema/kinds.ts';
import { suggestion } from './structure-checks.ts';
import { SyntaxTrees } from './syntax-trees.ts';

export interface ParseOptions {
  /** Name for positions and messages. */
  readonly file: string;
  readonly defaultNamespace?: string;
}

export interface Parsed {
  readonly objects: readonly MeshObject[];
  readonly findings: readonly Finding[];
}

/**
 * Reads the documents of a YAML text, YAML 1.1 as istiod does (unquoted `on`, `off`, `yes`, `no` are booleans). One broken document
 * hides no other; kinds that are not the mesh's are left alone.
 */
export function parseDocuments(text: string, options: ParseOptions): Parsed {
  const objects: MeshObject[] = [];
  const findings: Finding[] = [];
  // What the parser says may quote the text, and that of a Secret must not get into a log.
  const reason = (error: unknown, { range }: Document.Parsed): string =>
    /^\s*["']?kind["']?\s*:\s*["']?(?:Secret|List)\b|["']kind["']\s*:\s*["'](?:Secret|List)["']/m.test(text.slice(range[0], range[2]))
      ? 'its YAML cannot be read'
      : error instanceof Error
        ? error.message
        : String(error);
  const tooDeep = deepNesting(text);
  if (tooDeep !== undefined) {
    const { line, col: column } = lineAt(text, tooDeep);
    return {
      objects,
      findings: [
        problem('RIPSTOP_YAML', { file: options.file, line, column }, `brackets are nested deeper than ${MAX_DEPTH}; the text is not used`),
      ],
    };
  }
  const trees = new SyntaxTrees(text);
  const at = (offset: number): SourcePosition => {
    const { line, col } = trees.lines.linePos(offset);
    return { file: options.file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const plain = readPlainYaml(text);
  if (plain !== undefined) {
    for (const { value, offset, line, column } of plain) {
      const later = (): Document.Parsed => trees.all().find(({ contents }) => contents?.range?.[0] === offset)!;
      readDocument(value, { file: options.file, line, column }, later, at, options, objects, findings);
    }
    return { objects, findings };
  }
  for (const [index, document] of trees.all().entries()) {
    if (document.errors.length > 0) {
      for (const error of document.errors)
        findings.push(problem('RIPSTOP_YAML', at(error.pos[0]), `${reason(error, document)}; the document is not used`));
      continue;
    }
    try {
      const json: unknown = document.toJS({ maxAliasCount: 100 });
      const start = at(document.contents?.range?.[0] ?? document.range[0]);
      readDocument(json, start, () => trees.all()[index]!, at, options, objects, findings);
    } catch (error) {
      findings.push(problem('RIPSTOP_YAML', at(document.range[0]), `${reason(error, document)}; the document is not used`));
    }
  }
  return { objects, findings };
}

/** Deeper brackets cost the reader seconds, and no object has them. */
const MAX_DEPTH = 1000;

/** Where brackets are open that deep; undefined: nowhere. Text in quotes counts too: there is none with so many. */
function deepNesting(text: string): number | undefined {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5b || code === 0x7b) depth += 1;
    else if ((code === 0x5d || code === 0x7d) && depth > 0) depth -= 1;
    if (depth > MAX_DEPTH) return index;
  }
  return undefined;
}

function lineAt(text: string, offset: number): { readonly line: number; readonly col: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, col: before.at(-1)!.length + 1 };
}

/** `later`: the document as a tree when somebody asks for a position, without keeping it. */
function readDocument(
  json: unknown,
  start: SourcePosition,
  later: () => Document.Parsed,
  at: (offset: number) => SourcePosition,
  options: ParseOptions,
  objects: MeshObject[],
  findings: Finding[],
): void {
  if (json === null || json === undefined) return;
  if (typeof json !== 'object' || Array.isArray(json)) {
    findings.push(problem('RIPSTOP_YAML', start, 'a document must be an object with apiVersion, kind and metadata'));
    return;
  }
  const locate = (path: Path): SourcePosition => (path.length === 0 ? start : locateIn(later(), path, at, start));
  const value = json as Record<string, unknown>;
  if (value.kind === 'List' && Array.isArray(value.items)) {
    for (const [index, item] of value.items.entries())
      readObject(item, (path) => locate(['items', index, ...path]), options, objects, findings);
    return;
  }
  if (value.apiVersion === undefined && value.kind === undefined && /(^|\/)mesh\.ya?ml$/.test(options.file)) {
    objects.push({
      apiVersion: 'ripstop.dev/v1',
      kind: 'MeshConfig',
      metadata: emptyMeta('mesh'),
      spec: withoutNulls(value),
      rest: {},
      source: start,
      locate: (path) => locate(path[0] === 'spec' ? path.slice(1) : path),
    });
    return;
  }
  readObject(value, locate, options, objects, findings);
}

/** API groups whose kinds are all known here. */
const MESH_GROUPS = ['networking.istio.io', 'security.istio.io', 'telemetry.istio.io', 'extensions.istio.io', 'gateway.networking.k8s.io'];

function readObject(
  value: unknown,
  locate: (path: Path) => SourcePosition,
  options: ParseOptions,
  objects: MeshObject[],
  findings: Finding[],
): void {
  const source = locate([]);
  if (typeof value !== 'object' || value === null) {
    findings.push(problem('RIPSTOP_YAML', source, 'an object must have apiVersion, kind and metadata'));
    return;
  }
  const { apiVersion, kind, metadata, spec, ...rest } = value as Record<string, unknown>;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') {
    findings.push(problem('RIPSTOP_YAML', source, `apiVersion and kind must be given${typeof kind === 'string' ? ` (kind ${kind})` : ''}`));
    return;
  }
  const known = kindOf(apiVersion, kind);
  if (known === undefined) {
    // Deployments and the like are somebody else's; a mesh group with a kind that is not in it is a mistake.
    const group = MESH_GROUPS.find((known) => apiVersion.startsWith(`${known}/`));
    if (group !== undefined) {
      const kinds = KINDS.filter((each) => each.group === group).map((each) => each.kind);
      findings.push(problem('RIPSTOP_UNKNOWN_KIND', locate(['kind']), `${apiVersion} has no kind ${kind}${suggestion(kind, kinds)}`));
    }
    return;
  }
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  const meta = readMeta(metadata, known.namespaced ? (options.defaultNamespace ?? 'default') : '');
  if (known.keep !== undefined && (meta === undefined || !known.versions.includes(version))) return;
  if (!known.versions.includes(version)) {
    findings.push({
      ...problem(
        'RIPSTOP_UNKNOWN_VERSION',
        locate(['apiVersion']),
        `${kind} has no version ${version}: give one of ${known.versions.join(', ')}`,
      ),
      object: `${kind} ${meta?.namespace ?? ''}/${meta?.name ?? ''}`,
    });
    return;
  }
  if (meta === undefined) {
    findings.push(problem('RIPSTOP_YAML', locate(['metadata']), `${kind} needs metadata.name`));
    return;
  }
  const nulls = spec === undefined || known.keep !== undefined ? [] : nullPaths(spec, ['spec']);
  objects.push({
    apiVersion,
    kind,
    metadata: meta,
    ...(nulls.length === 0 ? {} : { nulls }),
    ...(spec === undefined ? { lacksSpec: true as const } : {}),
    spec: withoutNulls(known.keep === undefined ? (spec ?? {}) : known.keep(spec)),
    rest: known.keep === undefined ? (withoutNulls(rest) as Record<string, unknown>) : {},
    source,
    locate,
  });
  readMeshOf(objects.at(-1)!, objects, findings);
}

/** Istio's own place for the mesh configuration: the ConfigMap `istio`, key `mesh`. Its lines are lines of the ConfigMap's file. */
function readMeshOf({ kind, metadata, rest, locate }: MeshObject, objects: MeshObject[], findings: Finding[]): void {
  if (kind !== 'ConfigMap' || metadata.name !== 'istio' || metadata.namespace !== 'istio-system') return;
  const { mesh } = (rest.data ?? {}) as { readonly mesh?: unknown };
  if (typeof mesh !== 'string') return;
  const key = locate(['data', 'mesh']);
  // The text of a block scalar begins on the line behind its key.
  const within = ({ line, column }: SourcePosition): SourcePosition => ({
    file: key.file,
    line: key.line + line,
    column: key.column + column,
  });
  const parsed = parseDocuments(mesh, { file: 'mesh.yaml' });
  for (const object of parsed.objects) objects.push({ ...object, source: key, locate: (path) => within(object.locate(path)) });
  for (const finding of parsed.findings) findings.push({ ...finding, position: within(finding.position) });
}

/** A field that is null counts as absent, as the Kubernetes API takes it. Null list items stay, and are refused by validation. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null && item !== undefined)
      .map(([key, item]) => [key, withoutNulls(item)]),
  );
}

function readMeta(metadata: unknown, defaultNamespace: string): ObjectMeta | undefined {
  const meta = (typeof metadata === 'object' && metadata !== null ? metadata : {}) as Record<string, unknown>;
  const name =
    typeof meta.name === 'string'
      ? meta.name
      : typeof meta.name === 'number' || typeof meta.name === 'boolean'
        ? String(meta.name)
        : undefined;
  if (name === undefined || name === '') return undefined;
  return {
    name,
    namespace: typeof meta.namespace === 'string' ? meta.namespace : defaultNamespace,
    labels: stringMap(meta.labels),
    annotations: stringMap(meta.annotations),
    creationTimestamp: timestamp(meta.creationTimestamp),
    ...(typeof meta.uid === 'string' ? { uid: meta.uid } : {}),
    ...(typeof meta.resourceVersion === 'string' ? { resourceVersion: meta.resourceVersion } : {}),
    ...(typeof meta.generateName === 'string' ? { generateName: meta.generateName } : {}),
    ...(typeof meta.deletionTimestamp === 'string' ? { leaving: true } : {}),
    ...(Array.isArray(meta.ownerReferences) ? { ownerReferences: meta.ownerReferences.filter(isOwner) } : {}),
  };
}

type Owner = NonNullable<ObjectMeta['ownerReferences']>[number];

function isOwner(value: unknown): value is Owner {
  const { apiVersion, kind, name } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Record<keyof Owner, unknown>>;
  return typeof apiVersion === 'string' && typeof kind === 'string' && typeof name === 'string';
}

function timestamp(value: unknown): number {
  const time = value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? 0 : time;
}

function emptyMeta(name: string): ObjectMeta {
  return { name, namespace: '', labels: {}, annotations: {}, creationTimestamp: 0 };
}

function stringMap(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, String(entry)]));
}

/** The position of the key at a path, or of its nearest parent that exists. */
function locateIn(document: Document.Parsed, path: Path, at: (offset: number) => SourcePosition, start: SourcePosition): SourcePosition {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1]!;
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last));
      const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
      if (range) return at(range[0]);
    }
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] | null } | undefined;
    if (node?.range) return at(node.range[0]);
  }
  return start;
}

function problem(code: string, position: SourcePosition, message: string): Finding {
  return { code, severity: 'error', object: '', position, path: '', message };
}
