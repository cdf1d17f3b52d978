import { ObjectStore } from '@ripstop/control-plane';
import { type Finding, parseDocuments, validateObject } from '@ripstop/istio-api';
import { parse } from 'yaml';
import {
  LAXER_VALUES,
  REFUSED_FIELD,
  STRICTER_VALUES,
  type StricterValue,
} from '../../../../packages/istio-api/src/testing/stricter-values.ts';
import { yamlOf } from '../compare-mesh.ts';
import type { IstiodProcess } from '../istiod-process.ts';
import type { Document } from '../mesh/document.ts';
import { Random } from '../mesh/random.ts';
import { baseDocuments, baseMeshes, documentOf, drawnDocuments } from './base-documents.ts';
import { type Mutation, mutateDocument, mutateMesh } from './mutate.ts';

/** What became of mutated documents. */
export interface Judgement {
  /** Both refuse, both take, or an entry of the list of stricter values is why only we refuse. */
  readonly agreed: number;
  readonly refused: number;
  /** One line and the document for each that only one side takes. */
  readonly open: readonly string[];
}

/** So many documents are asked of istiod at once. */
const BATCH = 500;
/** Findings that are errors for the user, and leave the document in force all the same (see ObjectStore). */
const KEPT_CODES: ReadonlySet<string> = new Set(['RIPSTOP_UNSUPPORTED_KIND', 'RIPSTOP_UNENFORCEABLE']);

interface Judged {
  readonly kind: string;
  readonly mutation: Mutation<unknown>;
  readonly ours: readonly Finding[];
  readonly theirs: string | undefined;
}

/** Documents with one change each, from a seed, and what istiod and we say of them. */
export async function judgeDocuments(seed: number, count: number, istiod: IstiodProcess): Promise<Judgement> {
  const bases = await rightDocuments(istiod);
  const random = new Random(seed);
  const judged: Judged[] = [];
  for (let done = 0; done < count; done += BATCH) {
    const mutations = Array.from({ length: Math.min(BATCH, count - done) }, () => mutateDocument(random, random.pick(bases)));
    const documents = mutations.map(({ changed }, index) => named(changed, index));
    const { refused } = await istiod.ask({ documents: documents.map((document) => JSON.stringify(document)), mesh: '', nodes: [] });
    for (const [index, mutation] of mutations.entries())
      judged.push({ kind: mutation.changed.kind, mutation, ours: errorsOf(documents[index]!), theirs: refused[index] });
  }
  return judgementOf(judged);
}

/** The same of mesh configurations. */
export async function judgeMeshes(seed: number, count: number, istiod: IstiodProcess): Promise<Judgement> {
  const bases = baseMeshes();
  const random = new Random(seed);
  const mutations = Array.from({ length: count }, () => mutateMesh(random, random.pick(bases)));
  const refused = await istiod.judgeMeshes(mutations.map(({ changed }) => JSON.stringify(changed)));
  return judgementOf(
    mutations.map((mutation, index) => ({
      kind: 'MeshConfig',
      mutation,
      ours: errorsIn(yamlOf(mutation.changed), 'mesh.yaml'),
      theirs: refused[index],
    })),
  );
}

function errorsOf(document: Document): Finding[] {
  const text = yamlOf(document);
  const errors = errorsIn(text, 'document.yaml');
  // Values of patches are looked into where the messages are known.
  if (document.kind !== 'EnvoyFilter' || errors.length > 0) return errors;
  return (new ObjectStore().update([{ name: 'document.yaml', text }])?.findings ?? []).filter(isRefusal);
}

function errorsIn(text: string, file: string): Finding[] {
  const { objects, findings } = parseDocuments(text, { file });
  return [...findings, ...objects.flatMap(validateObject)].filter(isRefusal);
}

/** What the analysis says (IST…) leaves the document in force as well. */
function isRefusal({ severity, code }: Finding): boolean {
  return severity === 'error' && !KEPT_CODES.has(code) && !code.startsWith('IST');
}

function judgementOf(judged: readonly Judged[]): Judgement {
  const open: string[] = [];
  for (const { kind, mutation, ours, theirs } of judged) {
    if (ours.length === 0) {
      if (theirs !== undefined && !isLaxer(kind, mutation, theirs)) open.push(`istiod refuses ${describe(kind, mutation)}: ${theirs}`);
      continue;
    }
    if (theirs !== undefined) continue;
    for (const finding of ours) {
      if (REFUSED_FIELD.test(finding.message) || STRICTER_VALUES.some((entry) => isOf(entry, kind, finding))) continue;
      open.push(`we refuse ${describe(kind, mutation)}: ${finding.path}: ${finding.message}`);
    }
  }
  return {
    agreed: judged.length - open.length,
    refused: judged.filter(({ theirs }) => theirs !== undefined).length,
    open,
  };
}

function isOf({ at, says, ...entry }: StricterValue, kind: string, { path, message }: Finding): boolean {
  return entry.kind === kind && at.test(path) && says.test(message);
}

/** What the lists say of examples and is not so: we have to refuse the one and istiod not, and the other way round. */
export async function wrongEntries(istiod: IstiodProcess): Promise<string[]> {
  const asked = [...STRICTER_VALUES, ...LAXER_VALUES];
  const documents = asked.map(({ kind, example }, index) => ({ ...documentOf(kind, `e-${index}`), spec: parse(example) as unknown }));
  const ofMeshes = await istiod.judgeMeshes(asked.map(({ kind, example }) => (kind === 'MeshConfig' ? example : '')));
  const ofDocuments = (await istiod.ask({ documents: documents.map((document) => JSON.stringify(document)), mesh: '', nodes: [] })).refused;
  return asked.flatMap((entry, index) => {
    const { kind, field, example } = entry;
    const ours = kind === 'MeshConfig' ? errorsIn(example, 'mesh.yaml') : errorsOf(documents[index]!);
    const theirs = kind === 'MeshConfig' ? ofMeshes[index] : ofDocuments[index];
    const right = STRICTER_VALUES.includes(entry)
      ? ours.length > 0 && ours.every((finding) => isOf(entry, kind, finding)) && theirs === undefined
      : ours.length === 0 && theirs !== undefined && entry.says.test(theirs);
    return right ? [] : [`${kind} ${field}: we: ${ours.map(({ path, message }) => `${path}: ${message}`).join()}; istiod: ${theirs}`];
  });
}

function isLaxer(kind: string, { path }: Mutation<unknown>, theirs: string): boolean {
  return LAXER_VALUES.some(({ at, says, ...laxer }) => laxer.kind === kind && at.test(placeOf(path)) && says.test(theirs));
}

function placeOf(path: Mutation<unknown>['path']): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

function describe(kind: string, { path, what, changed }: Mutation<unknown>): string {
  return `${kind} ${placeOf(path)} (${what}) of\n${yamlOf(changed)}`;
}

async function rightDocuments(istiod: IstiodProcess): Promise<Document[]> {
  const all = [...baseDocuments(), ...drawnDocuments()];
  const { refused } = await istiod.ask({ documents: all.map((document) => JSON.stringify(document)), mesh: '', nodes: [] });
  const wrong = baseDocuments().flatMap((document, index) => {
    const says = refused[index] ?? errorsOf(document)[0]?.message;
    return says === undefined ? [] : [`${document.kind} ${document.metadata.name}: ${says}`];
  });
  if (wrong.length > 0) throw new Error(`documents to begin with must be right:\n${wrong.join('\n')}`);
  return all.filter((document, index) => refused[index] === undefined && errorsOf(document).length === 0);
}

/** No two of one name. */
function named(document: Document, index: number): Document {
  return { ...document, metadata: { ...document.metadata, name: `m-${index}` } };
}
