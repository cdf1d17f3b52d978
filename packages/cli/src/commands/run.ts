import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { createTokenIssuer } from '@ripstop/control-plane';
import { type Command, InvalidArgumentError } from 'commander';

interface RunOptions {
  readonly service: string;
  readonly version?: string;
  readonly namespace: string;
  readonly serviceAccount?: string;
  readonly label: readonly string[];
  readonly xds: string;
  readonly stateDir: string;
  readonly ports: 'auto' | 'fixed';
  readonly admin: string;
}

/** `ripstop run --service reviews --version v1 -- node reviews.js`: starts a program with an identity in the mesh of `ripstop dev`. */
export function addRunCommand(program: Command): void {
  program
    .command('run')
    .description('start a program as a service of the mesh: sets its RIPSTOP_* environment and a join token')
    .requiredOption('--service <name>', 'service name; becomes the app label and the service account')
    .option('--version <version>', 'becomes the version label')
    .option('--namespace <namespace>', 'namespace', 'default')
    .option('--service-account <name>', 'identity, when it is not the service name')
    .option('--label <name=value>', 'further label, may be given several times', collectLabel, [])
    .option('--xds <host:port>', 'TLS address of the control plane', '127.0.0.1:15012')
    .option('--state-dir <dir>', 'state directory of the control plane: its root certificate and token key', '.ripstop')
    .option(
      '--ports <mode>',
      'auto: listen on any free port and keep the workload port as a name; fixed: listen on the workload port',
      parsePorts,
      'auto',
    )
    .option('--admin <host:port>', 'address of /stats/prometheus; port 0 takes any free one', '127.0.0.1:0')
    .argument('<command...>', 'the program and its arguments, behind --')
    .action(async (command: readonly string[], options: RunOptions) => {
      process.exitCode = await run(command, environmentOf(options));
    });
}

/** What the program finds in its environment. The token is for this process only and is not printed. */
export function environmentOf(options: RunOptions): Record<string, string> {
  const stateDir = resolve(options.stateDir);
  const root = join(stateDir, 'root-cert.pem');
  if (!existsSync(root)) {
    throw new Error(
      `no control plane has run in ${stateDir} (root-cert.pem is missing): start \`ripstop dev <folder>\` in this directory, or name its --state-dir`,
    );
  }
  const serviceAccount = options.serviceAccount ?? options.service;
  const { namespace } = options;
  return {
    RIPSTOP_SERVICE: options.service,
    RIPSTOP_VERSION: options.version ?? '',
    RIPSTOP_NAMESPACE: namespace,
    RIPSTOP_SERVICE_ACCOUNT: serviceAccount,
    RIPSTOP_LABELS: options.label.join(','),
    RIPSTOP_XDS: `grpcs://${options.xds}`,
    RIPSTOP_ROOT_CERT: root,
    RIPSTOP_TOKEN: createTokenIssuer({ stateDir }).issue({ namespace, serviceAccount, ttlSeconds: 30 * 24 * 3600 }),
    RIPSTOP_PORTS: options.ports,
    RIPSTOP_ADMIN: options.admin,
    RIPSTOP_LOG: process.env.RIPSTOP_LOG ?? '1',
  };
}

/** Runs to the end and passes signals on; answers the exit code, 128 + signal when it was killed. */
function run([file, ...args]: readonly string[], environment: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((settle, reject) => {
    const child = spawn(file!, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    child.once('error', (cause: NodeJS.ErrnoException) => {
      reject(cause.code === 'ENOENT' ? new Error(`cannot start ${file}: there is no such program on the PATH`, { cause }) : cause);
    });
    child.once('exit', (code, signal) => settle(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

function collectLabel(text: string, before: readonly string[]): readonly string[] {
  if (!/^[^=,]+=[^,]*$/.test(text)) throw new InvalidArgumentError('give name=value');
  return [...before, text];
}

function parsePorts(text: string): 'auto' | 'fixed' {
  if (text !== 'auto' && text !== 'fixed') throw new InvalidArgumentError('give auto or fixed');
  return text;
}
