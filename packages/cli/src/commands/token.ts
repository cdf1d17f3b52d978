import { type Command, Option } from 'commander';
import { parseLabels, parseName, parseTtl } from '../option-values.ts';
import { issueToken } from '../state-dir.ts';

interface TokenOptions {
  readonly service?: string;
  readonly serviceAccount?: string;
  readonly namespace: string;
  readonly ttl: number;
  readonly singleUse: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly stateDir: string;
}

/** `ripstop token --service reviews`: a join token on standard output, and nothing else there. */
export function addTokenCommand(program: Command): void {
  program
    .command('token')
    .description('print a join token, for a service that is not started by ripstop run (RIPSTOP_TOKEN). Keep it secret')
    .option('--service <name>', 'service name; becomes the service account', parseName)
    .option('--service-account <name>', 'service account, when it is not the service name', parseName)
    .option('--namespace <namespace>', 'namespace', parseName, 'default')
    .addOption(new Option('--ttl <time>', 'how long it is good for: 30d, 12h, 15m, 90s').argParser(parseTtl).default(86_400, '24h'))
    .option('--single-use', 'good for one certificate; the workload proves itself by that from then on', false)
    .addOption(
      new Option('--labels <labels>', 'app=reviews,version=v1: the only labels that the workload may register with').argParser(parseLabels),
    )
    .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
    .action(async ({ service, serviceAccount = service, namespace, ttl, singleUse, labels, stateDir }: TokenOptions) => {
      if (serviceAccount === undefined) throw new Error('whose token? Give --service <name> or --service-account <name>');
      process.stdout.write(`${await issueToken(stateDir, { namespace, serviceAccount, labels }, ttl, singleUse)}\n`);
    });
}
