import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { relative } from 'node:path';
import type { ControlPlane, ControlPlaneAddresses, Explainer } from '@ripstop/control-plane';
import { type Command, Option } from 'commander';
import { type AttestorOptions, addAttestorOptions, createAttestors } from './attestors.ts';
import { EventLog } from './event-log.ts';
import { explainQuestion } from './explain/question.ts';
import { parseAddress, parseResourceTtl, parseTrustDomain } from './option-values.ts';
import { prepareStateDir, writeNotes } from './state-dir.ts';

/** Options of the commands that run a control plane. */
export interface ControlPlaneProcessOptions extends AttestorOptions {
  readonly stateDir: string;
  readonly xds: string;
  readonly xdsTls: string;
  readonly http: string;
  readonly trustDomain: string;
  /** Seconds. */
  readonly resourceTtl?: number;
}

/** Adds what `serve` and `dev` have in common. Everything is on loopback unless told otherwise. */
export function addControlPlaneOptions(command: Command): Command {
  return addAttestorOptions(command)
    .option('--state-dir <dir>', 'directory of the root certificate, its key and the token key; made with mode 0700', '.ripstop')
    .addOption(new Option('--xds <host:port>', 'plaintext xDS').argParser(parseAddress).default('127.0.0.1:15010'))
    .addOption(new Option('--xds-tls <host:port>', 'xDS over TLS, and the CA').argParser(parseAddress).default('127.0.0.1:15012'))
    .addOption(new Option('--http <host:port>', 'live page, debug, metrics').argParser(parseAddress).default('127.0.0.1:15014'))
    .option('--trust-domain <name>', 'trust domain of the identities', parseTrustDomain, 'cluster.local')
    .addOption(
      new Option(
        '--resource-ttl <time>',
        'clients with the feature xds.config.supports-resource-ttl forget configuration that this control plane has not confirmed for so long; at least 10s (default: they keep it)',
      ).argParser(parseResourceTtl),
    );
}

/** Runs a control plane and prints its events to standard output until SIGINT or SIGTERM. Rejects when it cannot start. */
export async function runControlPlane(
  source: string,
  options: ControlPlaneProcessOptions,
  onStarted: (addresses: ControlPlaneAddresses, say: (topic: string, text: string) => void) => void,
): Promise<void> {
  if (!existsSync(source)) throw new Error(`there is no file or folder ${source}: make it, or name the one that holds the YAML`);
  const log = new EventLog((line) => process.stdout.write(`${line}\n`), Date.now);
  const stop = terminated();
  const complaint = prepareStateDir(options.stateDir);
  if (complaint !== '') log.say('warning', complaint);
  process.env.GRPC_VERBOSITY ??= 'NONE'; // Read at import: what it would log, a port that is taken, is said here in one line.
  const { createControlPlane, eventLoopFirst } = await import('@ripstop/control-plane');
  const { problem } = eventLoopFirst();
  if (problem !== undefined) log.say('warning', problem);
  const attestors = await createAttestors(options, process.env);
  const explain: Explainer = (question) => explainQuestion({ http: plane.addresses.http, stateDir: options.stateDir }, question);
  const resourceTtlMs = (options.resourceTtl ?? 0) * 1000;
  const plane = createControlPlane({ ...options, resourceTtlMs, attestors, source, explain, onEvent: log.onEvent });
  const addresses = await start(plane, options);
  writeNotes(options.stateDir, { xdsTls: addresses.xdsTls, trustDomain: options.trustDomain, http: addresses.http });
  onStarted(addresses, (topic, text) => log.say(topic, text));
  const signal = await stop;
  log.say('control plane', `${signal}: closing`);
  await plane.close();
}

/** One Ctrl-C may come twice: from the terminal to the whole group, and from a parent that passes it on. */
const SAME_SIGNAL_MS = 500;

/** Resolves at the first SIGINT or SIGTERM; a later one ends the process at once, as without a handler. */
export function terminated(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first: number | undefined;
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.on(name, () => {
        first ??= performance.now();
        if (performance.now() - first > SAME_SIGNAL_MS) process.exit(128 + constants.signals[name]);
        resolve(name);
      });
    }
  });
}

/** The arguments that `ripstop run` needs to find a control plane of this state directory; '' for the default one. */
export function stateDirArgument(stateDir: string): string {
  return relative('.', stateDir) === '.ripstop' ? '' : ` --state-dir ${stateDir}`;
}

async function start(plane: ControlPlane, options: ControlPlaneProcessOptions): Promise<ControlPlaneAddresses> {
  try {
    return await plane.start();
  } catch (cause) {
    const flag = (['xds', 'xdsTls', 'http'] as const).find((name) => cause instanceof Error && cause.message.includes(` ${options[name]}`));
    if (flag === undefined) throw cause;
    throw new Error(
      `cannot listen on ${options[flag]}: end whatever uses the port, or name another one with --${flag === 'xdsTls' ? 'xds-tls' : flag} (port 0 takes any free one)`,
      { cause: cause instanceof Error ? cause.cause : undefined },
    );
  }
}
