import type { Severity } from '@ripstop/istio-api';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { exitCodeOf, type FindingsFormat, reaches, renderFindings } from '../findings.ts';
import { parseName } from '../option-values.ts';
import { readSources } from '../read-sources.ts';

interface AnalyzeOptions {
  readonly output: FindingsFormat;
  readonly namespace: string;
  readonly failureThreshold: Severity;
  readonly outputThreshold: Severity;
}

const LEVELS: readonly Severity[] = ['info', 'warning', 'error'];

/** `ripstop analyze mesh/`: what is wrong with YAML, without a mesh. */
export function addAnalyzeCommand(program: Command): void {
  program
    .command('analyze')
    .description('validate YAML and print what is wrong with it, with file, line and fix')
    .argument('<path...>', 'folders, read recursively, and files; - is standard input')
    .addOption(new Option('-o, --output <format>', 'form of the findings').choices(['table', 'json', 'yaml']).default('table'))
    .option('-n, --namespace <namespace>', 'namespace of documents that name none', parseName, 'default')
    .addOption(new Option('--failure-threshold <level>', 'level that makes the exit code 79').argParser(parseLevel).default('error'))
    .addOption(new Option('--output-threshold <level>', 'lowest level that is printed').argParser(parseLevel).default('info'))
    .addHelpText(
      'after',
      '\nExit code: 0 nothing at the failure threshold, 79 findings there, 65 only text that is no YAML, 1 anything else.',
    )
    .action(async (paths: readonly string[], { output, namespace, failureThreshold, outputThreshold }: AnalyzeOptions) => {
      const { ObjectStore } = await import('@ripstop/control-plane');
      const files = await readSources(paths);
      if (files.length === 0) throw new Error(`there is no .yaml, .yml or .json file in ${paths.join(', ')}`);
      const findings = new ObjectStore(namespace).update(files)?.findings ?? [];
      const text = renderFindings(
        findings.filter((finding) => reaches(finding, outputThreshold)),
        output,
      );
      if (text !== '') process.stdout.write(`${text}\n`);
      if (findings.length === 0) process.stderr.write(`✔ No validation issues found when analyzing ${paths.join(', ')}.\n`);
      process.exitCode = exitCodeOf(findings, failureThreshold);
    });
}

/** Levels as istioctl takes them, in any case. */
function parseLevel(text: string): Severity {
  const level = LEVELS.find((entry) => entry === text.toLowerCase());
  if (level === undefined) throw new InvalidArgumentError(`Give one of ${LEVELS.join(', ')}.`);
  return level;
}
