import { existsSync } from 'node:fs';
import type { ControlPlaneAddresses, ControlPlaneOptions } from '@ripstop/control-plane';
import { EventLog } from './event-log.ts';

/** Options of the commands that run a control plane. */
export interface ControlPlaneProcessOptions extends Omit<ControlPlaneOptions, 'onEvent'> {
  readonly stateDir: string;
  /** Called once the ports are open. */
  readonly onStarted?: (addresses: ControlPlaneAddresses) => void;
}

/** Runs a control plane and prints its events to standard output until SIGINT or SIGTERM. Rejects when it cannot start. */
export async function runControlPlane({ onStarted, ...options }: ControlPlaneProcessOptions): Promise<void> {
  if (!existsSync(options.source)) throw new Error(`there is no file or folder ${options.source}: make it, or name the one with the YAML`);
  const log = new EventLog((line) => process.stdout.write(`${line}\n`), Date.now);
  const stop = terminated();
  process.env.GRPC_VERBOSITY ??= 'NONE'; // Read at import: what it would log, a port that is taken, is said here in one line.
  const { createControlPlane } = await import('@ripstop/control-plane');
  const plane = createControlPlane({ ...options, onEvent: log.onEvent });
  const addresses = await plane.start();
  log.say('control plane', `xds ${addresses.xds}  xds over TLS and CA ${addresses.xdsTls}  page http://${addresses.http}/`);
  onStarted?.(addresses);
  const signal = await stop;
  log.say('control plane', `${signal}: closing`);
  await plane.close();
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once, as without a handler. */
export function terminated(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}
