import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { collectLabel, parseAddress, parseName } from '../option-values.ts';
import { issueToken, readStateDir } from '../state-dir.ts';

/** Who a process is in the mesh, and where it joins. */
export interface JoinOptions {
  readonly service: string;
  readonly version?: string;
  readonly namespace: string;
  readonly serviceAccount?: string;
  readonly label: readonly string[];
  /** `host:port`; default: what the control plane has noted in its state directory. */
  readonly xds?: string;
  readonly stateDir: string;
  readonly ports: 'auto' | 'fixed';
  readonly admin: string;
}

/** A process outlives many certificates; each is asked for with the token it was started with. */
const TOKEN_TTL_SECONDS = 30 * 24 * 3600;

/** `ripstop run --service reviews --version v1 -- node reviews.js`: starts a program with an identity in the mesh of `ripstop dev`. */
export function addRunCommand(program: Command): void {
  program
    .command('run')
    .description('start a program as a service of the mesh: sets its RIPSTOP_* environment and a join token')
    .requiredOption('--service <name>', 'service name; becomes the app label and the service account', parseName)
    .option('--version <version>', 'becomes the version label')
    .option('--namespace <namespace>', 'namespace', parseName, 'default')
    .option('--service-account <name>', 'identity, when it is not the service name', parseName)
    .option('--label <name=value>', 'further label, may be given several times', collectLabel, [])
    .option('--xds <host:port>', 'TLS address of the control plane (default: the one of the state directory)', parseAddress)
    .option('--state-dir <dir>', 'state directory of the control plane: its root certificate and token key', '.ripstop')
    .option(
      '--ports <mode>',
      'auto: listen on any free port and keep the workload port as a name; fixed: listen on the workload port',
      parsePorts,
      'auto',
    )
    .option('--admin <host:port>', 'address of /stats/prometheus; port 0 takes any free one', parseAddress, '127.0.0.1:0')
    .argument('<command...>', 'the program and its arguments, behind --')
    .passThroughOptions()
    .action(async (command: readonly string[], options: JoinOptions) => {
      process.exitCode = await run(command, await environmentOf(options));
    });
}

/** What the program finds in its environment. The token is for this process only and is not printed. */
export async function environmentOf(options: JoinOptions): Promise<Record<string, string>> {
  const { service, namespace, stateDir, serviceAccount = service } = options;
  const controlPlane = readStateDir(stateDir);
  return {
    RIPSTOP_SERVICE: service,
    RIPSTOP_VERSION: options.version ?? '',
    RIPSTOP_NAMESPACE: namespace,
    RIPSTOP_SERVICE_ACCOUNT: serviceAccount,
    RIPSTOP_TRUST_DOMAIN: controlPlane.trustDomain,
    RIPSTOP_LABELS: options.label.join(','),
    RIPSTOP_XDS: `grpcs://${options.xds ?? controlPlane.xdsTls}`,
    RIPSTOP_ROOT_CERT: controlPlane.rootCertificateFile,
    RIPSTOP_TOKEN: await issueToken(stateDir, { namespace, serviceAccount }, TOKEN_TTL_SECONDS),
    RIPSTOP_PORTS: options.ports,
    RIPSTOP_ADMIN: options.admin,
    RIPSTOP_LOG: process.env.RIPSTOP_LOG ?? '1',
  };
}

/** Runs to the end and passes signals on; answers the exit code, 128 + signal when it was killed. */
function run([file, ...args]: readonly string[], environment: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((settle, reject) => {
    const child = spawn(file!, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    // On a terminal Ctrl-C reaches the whole group by itself; a second SIGINT would end the program in the middle of its drain.
    process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
    child.once('error', (cause: NodeJS.ErrnoException) => {
      reject(cause.code === 'ENOENT' ? new Error(`cannot start ${file}: there is no such program on the PATH`) : cause);
    });
    child.once('exit', (code, signal) => settle(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

function parsePorts(text: string): 'auto' | 'fixed' {
  if (text !== 'auto' && text !== 'fixed') throw new InvalidArgumentError('Give auto or fixed.');
  return text;
}
