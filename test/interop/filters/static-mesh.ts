import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '@ripstop/gateway';
import { createMesh } from '@ripstop/node';
import { Client } from 'undici';
import { rawReply } from '../../simulation/calls/raw-reply.ts';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Caller, Pair } from '../../simulation/observation.ts';
import { ACCOUNT_FORMAT, accountsOf } from '../../simulation/xds/accounts.ts';
import { clustersOf, listenerOf, type StaticConfig, socketAddress, staticSource, typed } from '../../simulation/xds/static-config.ts';
import { EnvoyProcess } from '../envoy/envoy-process.ts';
import { until } from '../until.ts';

const PORT = 80;

/** With the ports where they listen, on 127.0.0.1. */
export interface StaticPair extends Pair {
  readonly ports: { readonly envoy: number; readonly sdk: number };
}
const STRANGER = '127.0.0.2';

/** An Envoy and our gateway with the same filters in front of the same routes, from one xDS text. */
export async function startStaticPair(binary: string, config: StaticConfig, parts: AsyncDisposableStack): Promise<StaticPair> {
  const folder = mkdtempSync(join(tmpdir(), 'ripstop-filters-'));
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const log = join(folder, 'accounts');
  appendFileSync(log, '');
  const envoy = parts.use(
    await EnvoyProcess.start(
      binary,
      folder,
      {
        admin: { address: socketAddress(0) },
        node: { id: 'edge', cluster: 'edge.default' },
        static_resources: { listeners: [listenerOf(withAccounts(config, log), 0)], clusters: clustersOf(config) },
      },
      ['--file-flush-interval-msec', '5'],
    ),
  );
  const source = staticSource(config, PORT);
  const mesh = createMesh(
    { service: 'edge', namespace: 'default', role: 'router', admin: 'off', ports: 'auto' },
    { clock: realClock, random: Math.random, resolveDns: async () => [], configSource: () => source },
  );
  parts.defer(() => mesh.close({ drainMs: 0 }));
  const own = accountsOf(mesh);
  const gateway = createGateway({ mesh, ports: { [PORT]: 0 } });
  parts.use(gateway);
  await gateway.start();
  const ports = { envoy: await envoy.listenerPort('edge'), sdk: gateway.addresses()[0]!.port };
  return {
    ports,
    envoy: caller(ports.envoy, () => readFileSync(log, 'utf8').split('\n').slice(0, -1)),
    sdk: caller(ports.sdk, () => own),
  };
}

function withAccounts(config: StaticConfig, path: string): StaticConfig {
  const log_format = { text_format_source: { inline_string: `${ACCOUNT_FORMAT}\n` } };
  const typed_config = typed('envoy.extensions.access_loggers.file.v3.FileAccessLog', { path, log_format });
  return { ...config, manager: { access_log: [{ name: 'accounts', typed_config }], ...config.manager } };
}

function caller(port: number, accounts: () => readonly string[]): Caller {
  let before = 0;
  return {
    call: (call) => {
      before = accounts().length;
      if (call.raw !== undefined) return rawReply(port, call.raw, STRANGER);
      const client = new Client(`http://127.0.0.1:${port}`, { localAddress: STRANGER });
      return replyOf(client, call).finally(() => client.destroy());
    },
    account: () => until('the account of a call', () => accounts()[before]),
  };
}

const realClock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (run: () => void, delayMs: number) => {
    const timer = setTimeout(run, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
