import { readFileSync } from 'node:fs';
import type { SourceFile } from '@ripstop/control-plane';
import type { Finding, Severity } from '@ripstop/istio-api';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { askControlPlane, type HttpOptions } from '../control-plane-http.ts';
import { EXIT_UNREADABLE, exitCodeOf, type FindingsFormat, reaches, renderFindings } from '../findings.ts';
import { parseAddress, parseName } from '../option-values.ts';
import { readSources } from '../read-sources.ts';
import { collectSuppression, isSuppressed, type Suppression, unknownCodes } from '../suppressions.ts';

interface AnalyzeOptions extends HttpOptions {
  readonly live: boolean;
  readonly output: FindingsFormat;
  readonly namespace: string;
  readonly failureThreshold: Severity;
  readonly outputThreshold: Severity;
  readonly suppress: readonly Suppression[];
  readonly ignoreUnknown: boolean;
  readonly meshConfigFile?: string;
}

const LEVELS: readonly Severity[] = ['info', 'warning', 'error'];

/** `ripstop analyze mesh/`: what is wrong with YAML, without a mesh. Options as those of istioctl. */
export function addAnalyzeCommand(program: Command): void {
  program
    .command('analyze')
    .description('validate YAML and print what is wrong with it, with file, line and fix')
    .argument('[path...]', 'folders, read recursively, and files; - is standard input')
    .option('--live', 'the documents of a running control plane, with the processes that are registered there as its Pods', false)
    .option('--http <host:port>', 'with --live, its HTTP address (default: the one noted in the state directory)', parseAddress)
    .option('--state-dir <dir>', 'with --live, its state directory', '.ripstop')
    .addOption(
      new Option('-o, --output <format>', "form of the findings; log is istioctl's")
        .choices(['table', 'log', 'json', 'yaml'])
        .default('table'),
    )
    .option('-n, --namespace <namespace>', 'namespace of documents that name none', parseName, 'default')
    .addOption(new Option('--failure-threshold <level>', 'level that makes the exit code 79').argParser(parseLevel).default('error'))
    .addOption(new Option('--output-threshold <level>', 'lowest level that is printed').argParser(parseLevel).default('info'))
    .option(
      '-S, --suppress <code=object>',
      'leave findings out, for example "IST0118=Service *.default"; may be given several times',
      collectSuppression,
      [],
    )
    .option('--ignore-unknown', 'text that is no YAML of Kubernetes is no reason for exit code 65', false)
    .option('--meshConfigFile <file>', 'the mesh configuration, in place of a mesh.yaml among the paths')
    .addOption(new Option('-A, --all-namespaces', 'all namespaces are looked at in any case'))
    .addOption(new Option('--use-kube <value>', 'files only: false is the one value').choices(['false']))
    .addHelpText(
      'after',
      '\nExit code: 0 nothing at the failure threshold, 79 findings there (in every output format), 65 only text that is no YAML, 1 anything else.',
    )
    .action(analyze);
}

async function analyze(paths: readonly string[], options: AnalyzeOptions): Promise<void> {
  const { output, failureThreshold, outputThreshold, suppress, ignoreUnknown, live } = options;
  for (const code of unknownCodes(suppress))
    process.stderr.write(`ripstop: no finding has the code ${code}: suppressing it has no effect\n`);
  const found = live ? await askControlPlane<Finding[]>(options, '/api/findings') : await findingsOf(paths, options);
  const findings = found.filter((finding) => !isSuppressed(finding, suppress));
  const text = renderFindings(
    findings.filter((finding) => reaches(finding, outputThreshold)),
    output,
  );
  if (text !== '') process.stdout.write(`${text}\n`);
  if (findings.length === 0)
    process.stderr.write(`✔ No validation issues found when analyzing ${live ? 'the control plane' : paths.join(', ')}.\n`);
  const code = exitCodeOf(findings, failureThreshold);
  process.exitCode = ignoreUnknown && code === EXIT_UNREADABLE ? 0 : code;
}

async function findingsOf(paths: readonly string[], { namespace, meshConfigFile }: AnalyzeOptions): Promise<readonly Finding[]> {
  if (paths.length === 0) throw new Error('what is to be analysed? Name folders or files, or --live for a running control plane');
  const { ObjectStore } = await import('@ripstop/control-plane');
  const files = await readSources(paths);
  if (files.length === 0) throw new Error(`there is no .yaml, .yml or .json file in ${paths.join(', ')}`);
  const sources = meshConfigFile === undefined ? files : withMeshConfig(files, meshConfigFile);
  return new ObjectStore(namespace).update(sources)?.findings ?? [];
}

/** The file counts as mesh.yaml, whatever it is called; one among the paths does not. */
function withMeshConfig(files: readonly SourceFile[], file: string): SourceFile[] {
  return [...files.filter(({ name }) => !/(^|\/)mesh\.ya?ml$/.test(name)), { name: `${file}/mesh.yaml`, text: readMeshConfig(file) }];
}

function readMeshConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`--meshConfigFile ${file} cannot be read: give a file of YAML`, { cause });
  }
}

/** Levels as istioctl takes them, in any case. */
function parseLevel(text: string): Severity {
  const level = LEVELS.find((entry) => entry === text.toLowerCase());
  if (level === undefined) throw new InvalidArgumentError(`Give one of ${LEVELS.join(', ')}.`);
  return level;
}
