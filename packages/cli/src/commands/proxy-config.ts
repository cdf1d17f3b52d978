import type { DescribedSecret } from '@ripstop/control-plane';
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import { askControlPlane, columns, type HttpOptions } from '../control-plane-http.ts';
import { parseAddress } from '../option-values.ts';
import { type Dump, TABLES, type Table, type Wanted, wantedRows } from '../proxy-config/tables.ts';

interface ConfigOptions extends HttpOptions {
  readonly output: 'table' | 'json' | 'yaml';
}

/** `ripstop proxy-config route reviews-v1-….default`: what a connected client has, as istioctl's tables or Envoy's JSON. */
export function addProxyConfigCommand(program: Command): void {
  const parent = program.command('proxy-config').alias('pc').description('show what a connected client has been given');
  for (const [name, table] of Object.entries(TABLES)) addTableCommand(parent, name, table);
  addSecretCommand(parent);
}

function addTableCommand(parent: Command, name: string, table: Table): void {
  const command = parent
    .command(name)
    .alias(`${name}s`)
    .description(table.description)
    .argument('<client>', 'name.namespace as proxy-status lists it, or the name of a service with one client');
  for (const { flag, meaning } of Object.values(table.filters)) command.option(flag, meaning);
  command
    .option('--http <host:port>', 'HTTP address of the control plane (default: the one noted in the state directory)', parseAddress)
    .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json', 'yaml']).default('table'))
    .action(async (client: string, options: ConfigOptions & Wanted) => {
      const dump = await askControlPlane<Dump>(options, `/debug/config_dump?proxyID=${encodeURIComponent(client)}`);
      const found = table.resources(dump).map((resource) => ({ resource, rows: wantedRows(table, resource, options) }));
      // A resource without rows (a listener without chains) is left out by a filter only.
      const filtered = Object.keys(table.filters).some((filter) => options[filter] !== undefined);
      const kept = found.filter(({ rows }) => !filtered || rows.length > 0);
      print(
        options,
        kept.map(({ resource }) => resource),
        [table.head, ...found.flatMap(({ rows }) => rows)],
      );
    });
}

/** Public parts only: the control plane never prints a key. */
function addSecretCommand(parent: Command): void {
  parent
    .command('secret')
    .description('certificates that a gateway is given by the control plane; keys are never shown')
    .argument('<client>', 'name.namespace as proxy-status lists it, or the name of a service with one client')
    .option('--http <host:port>', 'HTTP address of the control plane (default: the one noted in the state directory)', parseAddress)
    .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json', 'yaml']).default('table'))
    .action(async (client: string, options: ConfigOptions) => {
      const secrets = await askControlPlane<readonly DescribedSecret[]>(options, `/debug/secrets?proxyID=${encodeURIComponent(client)}`);
      print(options, secrets, secretRows(secrets));
    });
}

/** Whole resources as text of Envoy's JSON or the same in YAML, or their rows. */
function print({ output }: ConfigOptions, resources: readonly unknown[], rows: readonly (readonly string[])[]): void {
  if (output === 'table') process.stdout.write(`${columns(rows)}\n`);
  else process.stdout.write(output === 'json' ? `${JSON.stringify(resources, undefined, 2)}\n` : stringify(resources));
}

function secretRows(secrets: readonly DescribedSecret[]): string[][] {
  const head = ['RESOURCE NAME', 'TYPE', 'STATUS', 'VALID CERT', 'SERIAL NUMBER', 'NOT AFTER', 'NOT BEFORE', 'NAMES'];
  return [
    head,
    ...secrets.flatMap(({ name, type, status, certificates }) =>
      certificates.length === 0
        ? [[name, type, status, '-', '-', '-', '-', '-']]
        : certificates.map(({ valid, serial, notAfter, notBefore, names, subject }) => [
            name,
            type,
            status,
            String(valid),
            serial,
            notAfter,
            notBefore,
            names === '' ? subject : names,
          ]),
    ),
  ];
}
