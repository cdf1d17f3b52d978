import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reply } from '../../../simulation/observation.ts';
import { until } from '../../until.ts';
import { Certificates } from '../../whole-way/certificates.ts';
import type { ProbeResult } from '../compare-probes.ts';
import { ENVOY_PORT, EnvoySide } from '../envoy-side.ts';
import { Apps } from './apps.ts';
import { callServer } from './calls.ts';
import { AUTHZ, clusterMessages } from './clusters.ts';
import { compareServerProbe } from './compare-server.ts';
import { SERVED } from './identities.ts';
import { serverListener } from './listener.ts';
import type { ServerProbe, ServerScenario, ServerTrial } from './scenario.ts';
import { ServerSide } from './sdk-side.ts';

/** A probe that is answered otherwise, or a configuration that only one side refuses. */
export interface ServerDifference {
  readonly trial: ServerTrial;
  readonly probe: ServerProbe | undefined;
  readonly lines: readonly string[];
}

/** An Envoy in front of an app, and the SDK in the same app, beside each other. */
export class ServerBed implements AsyncDisposable {
  readonly apps: Apps;
  private readonly certificates: Certificates;
  private readonly envoy: EnvoySide<ServerScenario>;
  private readonly sdk: ServerSide;
  private readonly parts: AsyncDisposableStack;

  static async start(binary: string): Promise<ServerBed> {
    await using parts = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-servers-'));
    parts.defer(() => rmSync(folder, { recursive: true, force: true }));
    const certificates = new Certificates(join(folder, 'certificates'));
    const apps = parts.use(new Apps());
    const [http1, http2, authz] = [
      await apps.listen(apps.app('http1')),
      await apps.listen(apps.app('http2')),
      await apps.listen(apps.authorizer()),
    ];
    const clusters = clusterMessages({ http1, http2, [AUTHZ]: authz });
    const { chain, key } = certificates.leaf(SERVED);
    const credentials = {
      tls_certificates: [{ certificate_chain: { inline_string: chain }, private_key: { inline_string: key } }],
      validation_context: { trusted_ca: { inline_string: certificates.rootPem } },
    };
    const envoy = await EnvoySide.start<ServerScenario>(binary, folder, clusters, (name, scenario, at) =>
      serverListener(scenario, { ...at, name }, credentials),
    );
    parts.use(envoy);
    const sdk = parts.use(new ServerSide(clusters, apps, certificates));
    return new ServerBed({ apps, certificates, envoy, sdk }, parts.move());
  }

  private constructor(
    { apps, certificates, envoy, sdk }: { apps: Apps; certificates: Certificates; envoy: EnvoySide<ServerScenario>; sdk: ServerSide },
    parts: AsyncDisposableStack,
  ) {
    this.apps = apps;
    this.certificates = certificates;
    this.envoy = envoy;
    this.sdk = sdk;
    this.parts = parts;
  }

  /** Where one scenario is served, for requests of somebody else's. */
  async serve(scenario: ServerScenario): Promise<Readonly<Record<'envoy' | 'sdk', { readonly host: string; readonly port: number }>>> {
    const scenarios = new Map([['0', scenario]]);
    await Promise.all([this.envoy.apply(scenarios), this.sdk.apply(scenarios)]);
    return { envoy: { host: this.envoy.addressOf('0'), port: ENVOY_PORT }, sdk: { host: '127.0.0.1', port: this.sdk.portOf('0') } };
  }

  /** Makes every request of every trial to both; answers where they differ. */
  async compare(trials: readonly ServerTrial[]): Promise<ServerDifference[]> {
    this.apps.forget();
    const scenarios = new Map(trials.map(({ scenario }, at) => [String(at), scenario]));
    const [byEnvoy, bySdk] = await Promise.all([this.envoy.apply(scenarios), this.sdk.apply(scenarios)]);
    const differences: ServerDifference[] = [];
    const served: [string, ServerTrial][] = [];
    for (const [at, trial] of trials.entries()) {
      const name = String(at);
      const [one, other] = [byEnvoy.get(name), bySdk.get(name)];
      if (one === undefined && other === undefined) served.push([name, trial]);
      else if (one === undefined || other === undefined)
        differences.push({ trial, probe: undefined, lines: [`refused: Envoy ${one ?? 'no'}, SDK ${other ?? 'no'}`] });
    }
    const made = (await concurrently(AT_ONCE, served, ([name, trial]) => this.makeAll(name, trial))).flat();
    await this.accountsOf(made);
    const accounts = this.envoy.told();
    for (const { trial, probe, id, envoy, sdk } of made) {
      const lines = compareServerProbe(
        trial.scenario,
        probe,
        this.result(`e${id}`, envoy, accounts.get(`e${id}`)),
        this.result(`s${id}`, sdk, this.sdk.account(`s${id}`)),
      );
      if (lines.length > 0) differences.push({ trial, probe, lines });
    }
    return differences;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.parts.disposeAsync();
  }

  /** One after the other: a limit counts them. */
  private async makeAll(name: string, trial: ServerTrial): Promise<Made[]> {
    const made: Made[] = [];
    for (const [at, probe] of trial.probes.entries()) {
      const id = `${name}.${at}`;
      const envoyAt = { host: this.envoy.addressOf(name), port: ENVOY_PORT };
      const [envoy, sdk] = await Promise.all([
        this.make(envoyAt, probe, `e${id}`),
        this.make({ host: '127.0.0.1', port: this.sdk.portOf(name) }, probe, `s${id}`),
      ]);
      made.push({ trial, probe, id, envoy, sdk });
    }
    return made;
  }

  private make(address: { host: string; port: number }, { call, answer }: ServerProbe, id: string): Promise<Reply> {
    this.apps.play(id, answer);
    return callServer(address, call, id, this.certificates);
  }

  /** A connection that was refused has none. */
  private async accountsOf(made: readonly Made[]): Promise<void> {
    const answered = made.filter(({ envoy }) => envoy.status !== 0);
    const isWritten = (): boolean => {
      const told = this.envoy.told();
      return answered.every(({ id }) => told.has(`e${id}`));
    };
    await until('the access log is written', isWritten, LOGGED_MS).catch(() => {});
    const open = made.filter(({ sdk }) => sdk.status !== 0);
    await until('our requests end', () => open.every(({ id }) => this.sdk.account(`s${id}`) !== undefined), LOGGED_MS).catch(() => {});
  }

  private result(id: string, reply: Reply, account: ProbeResult['account']): ProbeResult {
    return { observation: { replies: [reply], requests: this.apps.seen(id) }, account };
  }
}

interface Made {
  readonly trial: ServerTrial;
  readonly probe: ServerProbe;
  readonly id: string;
  readonly envoy: Reply;
  readonly sdk: Reply;
}

const AT_ONCE = 12;
const LOGGED_MS = 500;

async function concurrently<T, R>(most: number, items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await run(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: most }, worker));
  return results;
}
