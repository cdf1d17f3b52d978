import { type Command, Option } from 'commander';
import { askControlPlane, columns, type HttpOptions } from '../control-plane-http.ts';
import { parseAddress } from '../option-values.ts';

interface StatusOptions extends HttpOptions {
  readonly output: 'table' | 'json';
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly synced: boolean;
  readonly nack: string;
  /** Absent from a control plane of an older version. */
  readonly notes?: readonly { readonly resource: string; readonly text: string }[];
  readonly types: readonly { readonly typeUrl: string; readonly sent: string; readonly answered: string; readonly nack: string }[];
}

const KINDS = ['Cluster', 'Listener', 'ClusterLoadAssignment', 'RouteConfiguration'];

/** `ripstop proxy-status`: who is connected and has what, as istioctl's. Exit code 1 when somebody refuses a part. */
export function addProxyStatusCommand(program: Command): void {
  program
    .command('proxy-status')
    .alias('ps')
    .description('list the clients of a running control plane and whether each has taken its configuration')
    .option('--http <host:port>', 'HTTP address of the control plane (default: the one noted in the state directory)', parseAddress)
    .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'))
    .action(async (options: StatusOptions) => {
      const rows = await askControlPlane<readonly Row[]>(options, '/debug/syncz');
      process.stdout.write(`${options.output === 'json' ? JSON.stringify(rows, undefined, 2) : table(rows)}\n`);
      if (rows.some(({ nack }) => nack !== '')) process.exitCode = 1;
    });
}

function table(rows: readonly Row[]): string {
  const head = ['NAME', 'CDS', 'LDS', 'EDS', 'RDS', 'REFUSES'];
  const lines = [...rows]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, namespace, types, nack }) => [`${name}.${namespace}`, ...KINDS.map((kind) => stateOf(types, kind)), nack]);
  return [columns([head, ...lines]), ...rows.flatMap(notesOf)].join('\n');
}

/** What proxyless gRPC clients do otherwise than configured, because their library cannot. */
function notesOf({ name, namespace, notes = [] }: Row): string[] {
  return notes.map(({ resource, text }) => `note: ${name}.${namespace}: ${resource}: ${text}`);
}

/** istioctl's words. */
function stateOf(types: Row['types'], kind: string): string {
  const type = types.find(({ typeUrl }) => typeUrl.endsWith(`.${kind}`));
  if (type === undefined || type.sent === '') return 'NOT SENT';
  if (type.nack !== '') return 'ERROR';
  return type.sent === type.answered ? 'SYNCED' : 'STALE';
}
