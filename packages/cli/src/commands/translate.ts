import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { NodeResources, SourceFile, StoreState, XdsResource } from '@ripstop/control-plane';
import { type Finding, objectKey } from '@ripstop/istio-api';
import { type Command, Option } from 'commander';
import { renderFindings } from '../findings.ts';
import { parseTrustDomain } from '../option-values.ts';
import { readSources } from '../read-sources.ts';

interface TranslateOptions {
  readonly node: string;
  readonly trustDomain: string;
}

/** `ripstop translate mesh/ --node nodes.json`: the xDS that each node would get, without a server. */
export function addTranslateCommand(program: Command): void {
  program
    .command('translate')
    .description('print the xDS that each node of a file would get from a folder of YAML, as protobuf JSON')
    .argument('<path...>', 'folders, read recursively, and files; mesh.yaml may be a bare MeshConfig')
    .requiredOption('--node <file>', 'JSON array of nodes: [{"Name", "ID", "Metadata", "Locality"}], as an xDS client sends them')
    .option('--trust-domain <name>', 'trust domain, when no MeshConfig names one', parseTrustDomain, 'cluster.local')
    .addOption(new Option('-o, --output <format>', 'form of the xDS').choices(['json']).default('json'))
    .addHelpText('after', '\nExit code: 0, or 1 with the findings when a document is not valid.')
    .action(async (paths: readonly string[], { node: nodesFile, trustDomain }: TranslateOptions) => {
      const { grpcNotesOfNode, loadResourceWriter, ObjectStore, PushContext, parseNodes, resourcesOfNode } = await import(
        '@ripstop/control-plane'
      );
      const nodes = parseNodes(readNodes(nodesFile), nodesFile);
      const store = new ObjectStore();
      const state = store.update(await sourcesBeside(nodesFile, paths)) ?? store.state();
      const invalid = invalidDocuments(state);
      if (invalid.length > 0) {
        process.stderr.write(`${renderFindings(invalid, 'table')}\n`);
        process.exitCode = 1;
        return;
      }
      const push = new PushContext({ objects: state.objects, workloads: [], trustDomain });
      const write = await loadResourceWriter();
      const dump: Record<string, object> = {};
      for (const { name, node } of nodes) {
        const resources = resourcesOfNode(node, push);
        for (const { resource, text } of grpcNotesOfNode(node, push, resources)) {
          process.stderr.write(`ripstop: ${name}: ${resource}: ${text}\n`);
        }
        dump[name] = dumpOf(resources, write);
      }
      process.stdout.write(`${JSON.stringify(dump, undefined, 1)}\n`);
    });
}

function readNodes(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`--node ${file} cannot be read: give a file with a JSON array of nodes`, { cause });
  }
}

/** The nodes file may lie in the folder; it is no configuration. */
async function sourcesBeside(nodesFile: string, paths: readonly string[]): Promise<SourceFile[]> {
  return (await readSources(paths)).filter(({ name }) => resolve(name) !== resolve(nodesFile));
}

/** Findings about documents that are not in force; those about documents that are speak of the mesh, not of the document. */
function invalidDocuments({ objects, findings }: StoreState): Finding[] {
  const inForce = new Set(objects.map(objectKey));
  return findings.filter(({ severity, object }) => severity === 'error' && !inForce.has(object));
}

/** Sorted by name, so that two dumps can be compared. */
function dumpOf({ clusters, endpoints, listeners, routes }: NodeResources, write: (resource: XdsResource) => unknown): object {
  const list = (resources: readonly XdsResource[]): unknown[] =>
    [...resources].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)).map(write);
  return { clusters: list(clusters), endpoints: list(endpoints), listeners: list(listeners), routes: list(routes) };
}
