import type { Command } from 'commander';
import { parseAddress } from '../address.ts';
import { runControlPlane } from '../control-plane-process.ts';

interface ServeOptions {
  readonly source: string;
  readonly stateDir: string;
  readonly xds: string;
  readonly xdsTls: string;
  readonly http: string;
  readonly trustDomain: string;
}

/** `ripstop serve`: a control plane with every address named. */
export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('run a control plane: reads a folder of YAML and watches it, serves xDS, the CA and the live page')
    .requiredOption('--source <dir>', 'folder of YAML, read recursively, or one file')
    .option('--state-dir <dir>', 'directory of the root certificate, its key and the token key', '.ripstop')
    .option('--xds <host:port>', 'plaintext xDS', parseAddress, '127.0.0.1:15010')
    .option('--xds-tls <host:port>', 'xDS over TLS, and the CA', parseAddress, '127.0.0.1:15012')
    .option('--http <host:port>', 'live page, debug, metrics', parseAddress, '127.0.0.1:15014')
    .option('--trust-domain <name>', 'trust domain of the identities', 'cluster.local')
    .action((options: ServeOptions) => runControlPlane(options));
}
