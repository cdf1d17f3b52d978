import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Upstreams } from '../../simulation/mesh/upstreams.ts';
import type { Caller } from '../../simulation/observation.ts';
import { clusterMessages, UPSTREAM_NAMES } from './clusters.ts';
import { compareProbe, type ProbeResult } from './compare-probes.ts';
import { EnvoySide } from './envoy-side.ts';
import { PROBE_HEADER } from './listener.ts';
import type { Probe, Scenario } from './scenario.ts';
import { SdkSide } from './sdk-side.ts';

/** A configuration and the requests that are made to it. */
export interface Trial {
  readonly scenario: Scenario;
  readonly probes: readonly Probe[];
}

/** A probe whose reply differs. */
export interface Difference {
  readonly trial: Trial;
  readonly probe: Probe | undefined;
  readonly lines: readonly string[];
}

/** An Envoy and the SDK beside each other, with the same upstreams. */
export class Bed implements AsyncDisposable {
  private readonly upstreams: Upstreams;
  private readonly envoy: EnvoySide;
  private readonly sdk: SdkSide;
  private readonly parts: AsyncDisposableStack;

  static async start(binary: string): Promise<Bed> {
    await using parts = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-differential-'));
    parts.defer(async () => rmSync(folder, { recursive: true, force: true }));
    const upstreams = parts.use(await Upstreams.start(UPSTREAM_NAMES));
    const clusters = clusterMessages((name) => upstreams.port(name));
    const envoy = parts.use(await EnvoySide.start(binary, folder, clusters));
    const sdk = parts.use(await SdkSide.start(clusters));
    return new Bed(upstreams, envoy, sdk, parts.move());
  }

  private constructor(upstreams: Upstreams, envoy: EnvoySide, sdk: SdkSide, parts: AsyncDisposableStack) {
    this.upstreams = upstreams;
    this.envoy = envoy;
    this.sdk = sdk;
    this.parts = parts;
  }

  /** Makes every request of every trial to both; answers where they differ. */
  async compare(trials: readonly Trial[]): Promise<Difference[]> {
    const scenarios = new Map(trials.map(({ scenario }, at) => [String(at), scenario]));
    const refused = { envoy: await this.envoy.apply(scenarios), sdk: await this.sdk.apply(scenarios) };
    const differences: Difference[] = [];
    const made: { trial: Trial; probe: Probe; id: string; envoy: ProbeResult; sdk: ProbeResult }[] = [];
    for (const [at, trial] of trials.entries()) {
      const name = String(at);
      const [byEnvoy, bySdk] = [refused.envoy.get(name), refused.sdk.get(name)];
      if (byEnvoy !== undefined || bySdk !== undefined) {
        if ((byEnvoy === undefined) !== (bySdk === undefined))
          differences.push({ trial, probe: undefined, lines: [`refused: Envoy ${reason(byEnvoy)}, SDK ${reason(bySdk)}`] });
        continue;
      }
      for (const [index, probe] of trial.probes.entries()) {
        const id = `${at}.${index}`;
        const envoy = await this.make(this.envoy.caller(name), probe, id);
        const sdk = await this.make(this.sdk.caller(name), probe, id);
        made.push({ trial, probe, id, envoy, sdk });
      }
    }
    const accounts = await this.envoy.accounts(made.length);
    for (const { trial, probe, id, envoy, sdk } of made) {
      const lines = compareProbe({ ...envoy, account: accounts.get(id) }, { ...sdk, account: this.sdk.accounts().get(id) });
      if (lines.length > 0) differences.push({ trial, probe, lines });
    }
    return differences;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.parts.disposeAsync();
  }

  private async make(caller: Caller, { call, answers }: Probe, id: string): Promise<ProbeResult> {
    this.upstreams.play(answers);
    const { authority, path, headers, ...rest } = call;
    const whole = { ...rest, url: `http://probe${path}`, headers: { host: authority, [PROBE_HEADER]: id, ...headers } };
    const reply = await caller.call(whole).catch((error: Error) => ({ status: 0, headers: {}, body: String(error), tookMs: 0 }));
    return { observation: { replies: [reply], requests: this.upstreams.requests }, account: undefined };
  }
}

/** Without the whole message, which Envoy puts in front. */
function reason(text: string | undefined): string {
  return text === undefined ? 'no' : text.slice(text.lastIndexOf('\n: ') + 1).slice(-300);
}
