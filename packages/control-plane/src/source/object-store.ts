import { analyze, analyzeInSteps, type Finding, type MeshObject, objectKey, parseDocuments, validateObject } from '@ripstop/istio-api';
import { gatewayApiFindings } from '../gateway-api/findings.ts';
import { envoyFilterFindings } from '../push/envoy-filter-values.ts';
import type { SourceFile } from './folder.ts';
import { unchangedObjects } from './unchanged-objects.ts';

interface FileState {
  readonly text: string;
  /** The last text without an error; undefined before there was one, and for files with a Secret. */
  readonly goodText: string | undefined;
  readonly objects: readonly MeshObject[];
  readonly findings: readonly Finding[];
  /** Objects with a mistake, of which this file has no version to fall back on. */
  readonly lost: ReadonlySet<string>;
}

export interface StoreState {
  readonly objects: readonly MeshObject[];
  /** What is wrong with documents by themselves: known as soon as they are read. */
  readonly ofDocuments: readonly Finding[];
  /** Worked out when somebody asks: what is saved must not wait for what is to be said about it. */
  readonly findings: readonly Finding[];
  /** Works them out step by step, for those who have something else to do meanwhile. */
  readonly workOut: () => Iterator<unknown>;
  /** The same when these run beside what the documents tell of; nothing is found about them themselves. */
  readonly findingsWith: (running: readonly MeshObject[]) => readonly Finding[];
  readonly files: number;
}

/** What is right and cannot be honoured stays in the mesh all the same: translation refuses what it should protect. */
const KEPT_CODES: ReadonlySet<string> = new Set(['RIPSTOP_UNSUPPORTED_KIND', 'RIPSTOP_UNENFORCEABLE']);

/**
 * The documents in force. A document with an error is not used; the last good version of that object stays, wherever it stood, and when
 * the text cannot be told apart into objects, everything that the file held stays. An object that vanishes from a file while a new one
 * of its kind is wrong there has been renamed, and stays until the mistake is corrected.
 */
export class ObjectStore {
  private files = new Map<string, FileState>();
  /** Last good versions of objects that were moved to another file and are wrong there. */
  private moved: readonly MeshObject[] = [];
  /** How often an object stands in the files, by key. */
  private readonly counts = new Map<string, number>();
  /** How many stand there more than once. */
  private repeated = 0;
  private readonly defaultNamespace: string;
  private readonly remembered: ReadonlyMap<string, string>;

  /** `remembered`: texts that were good in an earlier run, by file name. */
  constructor(defaultNamespace = 'default', remembered: ReadonlyMap<string, string> = new Map()) {
    this.defaultNamespace = defaultNamespace;
    this.remembered = remembered;
  }

  /** What the next run should remember. */
  get goodTexts(): Map<string, string> {
    return new Map([...this.files].flatMap(([name, { goodText }]) => (goodText === undefined ? [] : [[name, goodText] as const])));
  }

  /** Takes the folder as it is now; answers undefined when nothing has changed since the last time. */
  update(files: readonly SourceFile[]): StoreState | undefined {
    const changed = files.filter(({ name, text }) => this.files.get(name)?.text !== text);
    if (changed.length === 0 && files.length === this.files.size) return undefined;
    const before = this.files;
    const states = new Map(changed.map(({ name, text }) => [name, this.read(name, text, before.get(name) ?? this.recall(name))]));
    const next = new Map(files.map(({ name }) => [name, states.get(name) ?? before.get(name)!]));
    this.recount(before, next);
    this.moved = stillLost(next, before, this.moved);
    this.files = next;
    return this.state();
  }

  state(): StoreState {
    const { moved } = this;
    const files = [...this.files.values()];
    const all: MeshObject[] = [];
    for (const { objects } of files) for (const object of objects) all.push(object);
    const { objects, duplicates } =
      this.repeated === 0 && moved.length === 0 ? { objects: all, duplicates: [] } : unique([...all, ...moved]);
    const ofDocuments: Finding[] = [];
    for (const { findings } of files) if (findings.length > 0) ofDocuments.push(...findings);
    let findings: readonly Finding[] | undefined;
    const beside = (analysis: readonly Finding[]): readonly Finding[] => [
      ...ofDocuments,
      ...moved.map(lastGood),
      ...duplicates,
      ...analysis.filter(({ position }) => position.file !== ''),
      ...gatewayApiFindings(objects),
      ...envoyFilterFindings(objects),
    ];
    const findingsWith = (running: readonly MeshObject[]): readonly Finding[] => beside(analyze([...objects, ...running]));
    return {
      objects,
      ofDocuments,
      files: files.length,
      findingsWith,
      *workOut() {
        const analysis = yield* analyzeInSteps(objects);
        findings ??= beside(analysis);
      },
      get findings() {
        findings ??= findingsWith([]);
        return findings;
      },
    };
  }

  private recount(before: ReadonlyMap<string, FileState>, next: ReadonlyMap<string, FileState>): void {
    for (const [name, state] of before) if (next.get(name) !== state) for (const object of state.objects) this.count(object, -1);
    for (const [name, state] of next) if (before.get(name) !== state) for (const object of state.objects) this.count(object, 1);
  }

  private count(object: MeshObject, more: 1 | -1): void {
    const key = keyOf(object);
    const before = this.counts.get(key) ?? 0;
    if (before + more === 0) this.counts.delete(key);
    else this.counts.set(key, before + more);
    if (Math.max(before, before + more) === 2) this.repeated += more;
  }

  private read(file: string, text: string, before: FileState | undefined): FileState {
    const parsed = parseDocuments(text, { file, defaultNamespace: this.defaultNamespace });
    const findings: Finding[] = [...parsed.findings];
    const good: MeshObject[] = [];
    const bad = new Set<string>();
    const objects = before === undefined ? parsed.objects : unchangedObjects(parsed.objects, text, before);
    for (const object of objects) {
      const own = validateObject(object);
      findings.push(...own);
      if (own.some(({ severity, code }) => severity === 'error' && !KEPT_CODES.has(code))) bad.add(keyOf(object));
      else good.push(object);
    }
    const unreadable = parsed.findings.some(({ severity }) => severity === 'error');
    const present = new Set(good.map(keyOf));
    const known = new Set(before?.objects.map(keyOf));
    const renamed = new Set(objects.filter((object) => bad.has(keyOf(object)) && !known.has(keyOf(object))).map(kindOf));
    const kept = (before?.objects ?? []).filter((object) => {
      const key = keyOf(object);
      return !present.has(key) && (bad.has(key) || unreadable || renamed.has(kindOf(object)));
    });
    const goodText = !unreadable && bad.size === 0 ? text : before?.goodText;
    return {
      text,
      goodText: good.some(({ kind }) => kind === 'Secret') ? undefined : goodText,
      objects: [...good, ...kept],
      findings: [...findings, ...kept.map(lastGood)],
      lost: new Set([...bad].filter((key) => !present.has(key) && !known.has(key))),
    };
  }

  private recall(file: string): FileState | undefined {
    const text = this.remembered.get(file);
    return text === undefined ? undefined : this.read(file, text, undefined);
  }
}

/** Of objects that are wrong where they stand now, the versions that were good in another file, unless another file still has them. */
function stillLost(
  files: ReadonlyMap<string, FileState>,
  before: ReadonlyMap<string, FileState>,
  moved: readonly MeshObject[],
): MeshObject[] {
  const lost = new Set<string>();
  for (const file of files.values()) if (file.lost.size > 0) for (const key of file.lost) lost.add(key);
  if (lost.size === 0) return [];
  for (const { objects } of files.values()) for (const object of objects) lost.delete(keyOf(object));
  return [...[...before.values()].flatMap(({ objects }) => objects), ...moved].filter((object) => lost.delete(keyOf(object)));
}

/** Asked of every object whenever one of them changes. */
const keys = new WeakMap<MeshObject, string>();

function keyOf(object: MeshObject): string {
  let key = keys.get(object);
  if (key === undefined) {
    key = `${object.apiVersion.split('/')[0]} ${objectKey(object)}`;
    keys.set(object, key);
  }
  return key;
}

function kindOf({ apiVersion, kind }: MeshObject): string {
  return `${apiVersion.split('/')[0]} ${kind}`;
}

function lastGood(object: MeshObject): Finding {
  return {
    code: 'RIPSTOP_LAST_GOOD',
    severity: 'info',
    object: objectKey(object),
    position: object.source,
    path: '',
    message: 'the version that was good before stays in force until the error is corrected',
  };
}

/** The same object in two places: the first by file name is used, and the other one is told so. */
function unique(objects: readonly MeshObject[]): { objects: MeshObject[]; duplicates: Finding[] } {
  const byKey = new Map<string, MeshObject>();
  const duplicates: Finding[] = [];
  for (const object of objects) {
    const key = keyOf(object);
    const first = byKey.get(key);
    if (first === undefined) {
      byKey.set(key, object);
      continue;
    }
    const { file, line } = first.source;
    duplicates.push({
      code: 'RIPSTOP_DUPLICATE_OBJECT',
      severity: 'warning',
      object: objectKey(object),
      position: object.source,
      path: '',
      message: `is defined in ${file}:${line} already, which is used; remove one of the two`,
    });
  }
  return { objects: [...byKey.values()], duplicates };
}
