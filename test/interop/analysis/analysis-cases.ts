import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ObjectStore } from '@ripstop/control-plane';
import { parseAllDocuments } from 'yaml';

/** Documents that are analyzed together. */
export interface AnalysisCase {
  readonly name: string;
  readonly text: string;
}

/** Istio's inputs for its own analyzers; the peer's build put them beside its binary. */
export function istioCases(folder: string): AnalysisCase[] {
  return filesOf(folder).map((name) => ({ name, text: documentsIn(readFileSync(join(folder, name), 'utf8')) }));
}

/** Each application of Istio's samples as a whole. */
export function sampleCases(): AnalysisCase[] {
  const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../shared/conformance');
  const samples = join(root, 'samples');
  if (!existsSync(samples)) return [];
  return filesOf(samples).map((name) => ({ name: `samples/${name}`, text: documentsIn(readFileSync(join(samples, name), 'utf8')) }));
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .sort();
}

const OF_CLUSTER: ReadonlySet<string> = new Set([
  'Namespace',
  'Node',
  'GatewayClass',
  'CustomResourceDefinition',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
]);

interface Document {
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; namespace?: string };
  readonly items?: readonly Document[];
}

/** Lists taken apart, every object with its namespace: both sides are to see the same names. JSON, which is YAML. */
function documentsIn(text: string): string {
  const objects = parseAllDocuments(text)
    .map((document) => document.toJS() as Document | null)
    .flatMap((document) => (document?.kind === 'List' ? (document.items ?? []) : document === null ? [] : [document]));
  for (const { kind = '', metadata } of objects) if (metadata !== undefined && !OF_CLUSTER.has(kind)) metadata.namespace ??= 'default';
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

export interface OurFindings {
  /** The documents that we do not refuse. */
  readonly text: string;
  /** `<code> <object>` of the findings with Istio's codes, each once. */
  readonly findings: ReadonlySet<string>;
}

/** What a cluster would not have let in is left out for both, and analyzed again without it. */
export function analyzeOurs({ name, text }: AnalysisCase): OurFindings {
  const refused = new Set(
    findingsOf(name, text).flatMap(({ code, severity, object }) => (code.startsWith('RIPSTOP_') && severity === 'error' ? [object] : [])),
  );
  const left = text.split('\n---\n').filter((document) => !refused.has(objectOf(document)));
  const findings = findingsOf(name, left.join('\n---\n')).filter(({ code }) => code.startsWith('IST'));
  return { text: left.join('\n---\n'), findings: new Set(findings.map(({ code, object }) => `${code} ${object}`)) };
}

function findingsOf(name: string, text: string) {
  return new ObjectStore('default').update([{ name, text }])?.findings ?? [];
}

function objectOf(document: string): string {
  const { kind = '', metadata = {} } = (document === '' ? {} : JSON.parse(document)) as Document;
  const { name = '', namespace } = metadata;
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}
