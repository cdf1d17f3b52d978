import { PushContext, parseNodes, resourcesOfNode, translate } from '@ripstop/control-plane';
import { type MeshObject, parseDocuments, validateObject } from '@ripstop/istio-api';
import { stringify } from 'yaml';
import { EXTENSION_LIST, RESOURCE_LISTS, type ResourceList, resourceDifferences } from '../../conformance/resource-differences.ts';
import type { Dump, IstiodAnswer, IstiodCase, RecordedNode } from './istiod-process.ts';
import type { Istiod } from './lasting-istiod.ts';
import type { Document } from './mesh/document.ts';
import type { Mesh } from './mesh/random-mesh.ts';
import { SECOND_SLICE } from './mesh/rarer-kubernetes.ts';

/** `sidecar routes 80`, `.virtualHosts[0].routes[1]…: wanted …, got …`; of a document that one side refuses: `validation <kind>`. */
export interface Difference {
  readonly node: string;
  readonly where: string;
  readonly text: string;
}

/** Findings that are errors for the user, and leave the document in force all the same (see ObjectStore). */
const KEPT_CODES: ReadonlySet<string> = new Set(['RIPSTOP_UNSUPPORTED_KIND', 'RIPSTOP_UNENFORCEABLE']);

/** Where istiod and our control plane disagree about a mesh. A mesh configuration that both refuse is the end of it. */
export async function differencesOf(mesh: Mesh, istiod: Istiod): Promise<Difference[]> {
  const config = yamlOf(mesh.config);
  const theirs = (await istiod.judgeMeshes([config]))[0];
  const ours = errorsOf(config, 'mesh.yaml');
  if (theirs !== undefined && ours !== undefined) return [];
  if (theirs !== undefined || ours !== undefined)
    return [{ node: '', where: 'validation MeshConfig', text: `istiod: ${theirs ?? 'accepted'}; we: ${ours ?? 'accepted'}` }];
  const answer = await istiod.ask(caseOf(mesh));
  const refused = refusedByUs(mesh.documents);
  const judged = mesh.documents.flatMap((document, index) => {
    const theirs = answer.refused[index];
    const ours = refused.get(index);
    if ((theirs === undefined) === (ours === undefined)) return [];
    return [{ node: '', where: `validation ${document.kind}`, text: `istiod: ${theirs ?? 'accepted'}; we: ${ours ?? 'accepted'}` }];
  });
  // What only one side has in force would be a difference everywhere: once more, with what both accept.
  if (judged.length > 0) {
    const documents = mesh.documents.filter((_document, index) => !refused.has(index) && answer.refused[index] === undefined);
    return [...judged, ...(await differencesOf({ ...mesh, documents }, istiod))];
  }
  return translationDifferences(mesh, answer);
}

/** The mesh as istiod is asked about it. */
export function caseOf({ documents, config, nodes }: Mesh): IstiodCase {
  return { documents: documents.map((document) => JSON.stringify(document)), mesh: yamlOf(config), nodes };
}

/** Where the resources of nodes differ, for documents that both sides take. */
export function translationDifferences(mesh: Mesh, answer: IstiodAnswer): Difference[] {
  const push = new PushContext({ objects: objectsOf(mesh), workloads: [] });
  return mesh.nodes.flatMap((node) => nodeDifferences(node, push, answer.nodes[node.Name] ?? {}, hasSplitSlices(mesh)));
}

/** Some Service has its endpoints in two slices, whose order istiod takes from a Go map. */
function hasSplitSlices({ documents }: Mesh): boolean {
  return documents.some(({ kind, metadata }) => kind === 'EndpointSlice' && metadata.name.endsWith(SECOND_SLICE));
}

/** Places and their endpoints, in one order. */
function inOneOrder(message: object): object {
  const { endpoints } = message as { readonly endpoints?: readonly { readonly lbEndpoints?: readonly unknown[] }[] };
  if (endpoints === undefined) return message;
  const places = endpoints.map((place) => (place.lbEndpoints === undefined ? place : { ...place, lbEndpoints: byText(place.lbEndpoints) }));
  return { ...message, endpoints: byText(places) };
}

function byText<T>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** What our validation says of the documents that it refuses, by their index. */
export function refusedByUs(documents: readonly Document[]): Map<number, string> {
  const refused = new Map<number, string>();
  for (const [index, document] of documents.entries()) {
    const errors = errorsOf(yamlOf(document), `${index}.yaml`);
    if (errors !== undefined) refused.set(index, errors);
  }
  return refused;
}

function errorsOf(yaml: string, file: string): string | undefined {
  const { objects, findings } = parseDocuments(yaml, { file });
  const errors = [...findings, ...objects.flatMap(validateObject)].filter(
    ({ severity, code }) => severity === 'error' && !KEPT_CODES.has(code),
  );
  return errors.length === 0 ? undefined : errors.map(({ path, message }) => `${path}: ${message}`).join('; ');
}

/** What is right. */
function objectsOf({ documents, config }: Mesh): MeshObject[] {
  const refused = refusedByUs(documents);
  const read = (text: string, file: string): readonly MeshObject[] => parseDocuments(text, { file }).objects;
  return [
    ...documents.flatMap((document, index) => (refused.has(index) ? [] : read(yamlOf(document), `${index}.yaml`))),
    ...read(yamlOf(config), 'mesh.yaml'),
  ];
}

/** Kubernetes reads YAML 1.1: `y` and `off` need quotes. */
export function yamlOf(value: unknown): string {
  return stringify(value, { version: '1.1' });
}

/** Where two answers of istiod about one mesh differ. */
export function answerDifferences(mesh: Mesh, first: IstiodAnswer, second: IstiodAnswer): Difference[] {
  return mesh.nodes.flatMap(({ Name }) => {
    const read = (answer: IstiodAnswer, kind: ResourceList): object[] => (answer.nodes[Name]?.[kind.list] ?? []).map(kind.read);
    return RESOURCE_LISTS.flatMap((kind) => listDifferences(Name, kind, read(first, kind), read(second, kind)));
  });
}

function nodeDifferences(recorded: RecordedNode, push: PushContext, dump: Dump, unordered: boolean): Difference[] {
  const [named] = parseNodes(JSON.stringify([recorded]), recorded.Name);
  if (named === undefined) return [];
  const resources = resourcesOfNode(named.node, push);
  const lists = RESOURCE_LISTS.flatMap((kind) => {
    const read = (dump[kind.list] ?? []).map(kind.read);
    const asTheirs = named.node.dialect === 'sidecar' ? withPortsIgnored : (message: object) => message;
    const made = resources[kind.list].map(({ message }) => asTheirs(message as object));
    const [expected, actual] = unordered && kind.list === 'endpoints' ? [read.map(inOneOrder), made.map(inOneOrder)] : [read, made];
    return listDifferences(recorded.Name, kind, actual, expected);
  });
  // By the names in istiod's listeners; ours have the same, or differ already.
  const expected = (dump.extensions ?? []).map(EXTENSION_LIST.read);
  const ours = translate(EXTENSION_LIST.typeUrl, named.node, push, expected.map(EXTENSION_LIST.nameOf));
  return [
    ...lists,
    ...listDifferences(
      recorded.Name,
      EXTENSION_LIST,
      ours.map(({ message }) => message as object),
      expected,
    ),
  ];
}

/** Of the routes of a Sidecar's proxies, where we compare ports (docs/reference/differences.md): all else in them is to be the same. */
function withPortsIgnored(message: object): object {
  const compares = (message as { ignorePortInHostMatching?: boolean }).ignorePortInHostMatching === false;
  return compares ? { ...message, ignorePortInHostMatching: true } : message;
}

function listDifferences(node: string, kind: ResourceList<string>, actual: readonly object[], expected: readonly object[]): Difference[] {
  return resourceDifferences(kind, actual, expected).map((text) => {
    const [name = '', ...rest] = text.split(': ');
    return { node, where: `${node.split('-', 1)[0]} ${kind.list} ${name}`, text: rest.join(': ') };
  });
}

/** The mesh as a user would write it down. */
export function textOf(mesh: Mesh): string {
  const config = Object.keys(mesh.config).length === 0 ? [] : [`# mesh.yaml\n${yamlOf(mesh.config)}`];
  const nodes = mesh.nodes.map(({ ID, Metadata }) => `# node ${ID} ${JSON.stringify(Metadata.LABELS)}\n`);
  return [...config, ...nodes, ...mesh.documents.map((document: Document) => yamlOf(document))].join('---\n');
}
