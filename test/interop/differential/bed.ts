import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Upstreams } from '../../simulation/mesh/upstreams.ts';
import type { Caller, SeenRequest } from '../../simulation/observation.ts';
import { until } from '../until.ts';
import { clusterMessages, SHADOW, UPSTREAM_NAMES } from './clusters.ts';
import { compareCopies, compareProbe, type ProbeResult } from './compare-probes.ts';
import { EnvoySide } from './envoy-side.ts';
import { listenerOf, PROBE_HEADER } from './listener.ts';
import type { Probe, Scenario } from './scenario.ts';
import { type Place, SdkSide } from './sdk-side.ts';

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
  private readonly shadows: Shadows;
  private readonly envoy: EnvoySide<Scenario>;
  private readonly sdk: SdkSide;
  private readonly place: Place;
  private readonly parts: AsyncDisposableStack;

  /** Of the SDK. */
  static async start(binary: string, place: Place = 'sidecar'): Promise<Bed> {
    await using parts = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-differential-'));
    parts.defer(async () => rmSync(folder, { recursive: true, force: true }));
    const upstreams = parts.use(await Upstreams.start(UPSTREAM_NAMES));
    const shadows = { envoy: parts.use(await Upstreams.start([SHADOW])), sdk: parts.use(await Upstreams.start([SHADOW])) };
    const clustersOf = (side: keyof Shadows) => clusterMessages((name) => (name === SHADOW ? shadows[side] : upstreams).port(name));
    const envoy = parts.use(await EnvoySide.start(binary, folder, clustersOf('envoy'), listenerOf));
    const sdk = parts.use(await SdkSide.start(clustersOf('sdk'), place));
    return new Bed({ upstreams, shadows, envoy, sdk, place }, parts.move());
  }

  private constructor({ upstreams, shadows, envoy, sdk, place }: Sides, parts: AsyncDisposableStack) {
    this.place = place;
    this.upstreams = upstreams;
    this.shadows = shadows;
    this.envoy = envoy;
    this.sdk = sdk;
    this.parts = parts;
  }

  /** Makes every request of every trial to both; answers where they differ. */
  async compare(trials: readonly Trial[]): Promise<Difference[]> {
    const scenarios = new Map(trials.map(({ scenario }, at) => [String(at), scenario]));
    const refused = { envoy: await this.envoy.apply(scenarios), sdk: await this.sdk.apply(scenarios) };
    for (const shadow of Object.values(this.shadows)) shadow.play();
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
    const copies = await this.copies();
    for (const { trial, probe, id, envoy, sdk } of made) {
      const lines = compareCopies(copies.envoy.get(id), copies.sdk.get(id), this.place);
      lines.push(...compareProbe({ ...envoy, account: accounts.get(id) }, { ...sdk, account: this.sdk.accounts().get(id) }, this.place));
      if (lines.length > 0) differences.push({ trial, probe, lines });
    }
    return differences;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.parts.disposeAsync();
  }

  /** Mirrored copies by probe. Nobody waits for them: they are taken to be there when both sides have as many, or after a moment. */
  private async copies(): Promise<Record<keyof Shadows, ReadonlyMap<string, SeenRequest[]>>> {
    const { envoy, sdk } = this.shadows;
    await until('mirrored copies', () => envoy.requests.length === sdk.requests.length, COPIES_MS).catch(() => {});
    const byProbe = ({ requests }: Upstreams) =>
      Map.groupBy(requests, ({ headers }) => headers.find(([name]) => name === PROBE_HEADER)?.[1] ?? '');
    return { envoy: byProbe(envoy), sdk: byProbe(sdk) };
  }

  private async make(caller: Caller, { call, answers }: Probe, id: string): Promise<ProbeResult> {
    this.upstreams.play(answers);
    const { authority, path, headers, ...rest } = call;
    const whole = { ...rest, url: `http://probe${path}`, headers: { host: authority, [PROBE_HEADER]: id, ...headers } };
    const reply = await caller.call(whole).catch((error: Error) => ({ status: 0, headers: {}, body: String(error), tookMs: 0 }));
    return { observation: { replies: [reply], requests: this.upstreams.requests }, account: undefined };
  }
}

type Shadows = Readonly<Record<'envoy' | 'sdk', Upstreams>>;

interface Sides {
  readonly upstreams: Upstreams;
  /** Who sees the mirrored copies, each side's by itself. */
  readonly shadows: Shadows;
  readonly envoy: EnvoySide<Scenario>;
  readonly sdk: SdkSide;
  readonly place: Place;
}

const COPIES_MS = 300;

/** Without the whole message, which Envoy puts in front. */
function reason(text: string | undefined): string {
  return text === undefined ? 'no' : text.slice(text.lastIndexOf('\n: ') + 1).slice(-300);
}
