import { type Command, Option } from 'commander';
import type { HttpOptions } from '../control-plane-http.ts';
import { type Members, membersOfControlPlane, membersOfFolder } from '../explain/members.ts';
import { explainWay, headerLines, type Way, wayAsJson } from '../explain/way.ts';
import { collectHeader, parseAddress, parseTrustDomain, parseUrl } from '../option-values.ts';

interface ExplainOptions extends HttpOptions {
  readonly from: string;
  readonly namespace: string;
  readonly header: readonly (readonly [string, string])[];
  readonly config?: readonly string[];
  readonly trustDomain: string;
  readonly output: 'text' | 'json';
}

/** `ripstop explain GET http://reviews:9080/x --from productpage`: why a request goes where it goes, and who lets it in. */
export function addExplainCommand(program: Command): void {
  program
    .command('explain')
    .description('say what would become of a request and why, at the caller and at the service, down to file and line')
    .argument('<method>', 'GET, POST, …')
    .argument('<url>', 'as the app calls it, for example http://reviews:9080/reviews/1', parseUrl)
    .requiredOption('--from <workload>', 'who calls: a client as proxy-status lists it, a Pod, a WorkloadEntry, or an app label')
    .option('-n, --namespace <name>', 'namespace of the caller', 'default')
    .option('-H, --header <line>', '"name: value"; may be given several times', collectHeader, [])
    .option('--config <path...>', 'folders and files of YAML in the place of a running control plane')
    .option('--trust-domain <name>', 'with --config, when no MeshConfig names one', parseTrustDomain, 'cluster.local')
    .option('--http <host:port>', 'HTTP address of the control plane (default: the one noted in the state directory)', parseAddress)
    .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
    .addOption(new Option('-o, --output <format>', 'form').choices(['text', 'json']).default('text'))
    .addHelpText('after', '\nNothing is sent. Ejections and loads of running clients are not known here: ask mesh.explain in the process.')
    .action(async (method: string, url: string, options: ExplainOptions) => {
      const members: Members =
        options.config === undefined ? membersOfControlPlane(options) : await membersOfFolder(options.config, options.trustDomain);
      const caller = await members.find(options.from, options.namespace);
      const headers = headerLines(options.header);
      const way = await explainWay(members, caller, { method: method.toUpperCase(), url, headers });
      process.stdout.write(`${options.output === 'json' ? JSON.stringify(wayAsJson(way), undefined, 2) : textOf(way)}\n`);
    });
}

function textOf({ legs, openEnd }: Way): string {
  const parts = legs.map(({ who, explanation, refused }) =>
    [who, ...refused.map((line) => `refused     ${line}`), String(explanation)].join('\n'),
  );
  return [...parts, ...(openEnd === '' ? [] : [openEnd])].join('\n\n');
}
