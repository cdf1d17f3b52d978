import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway, type Gateway } from '@ripstop/gateway';
import type { Mesh as Member } from '@ripstop/node';
import type { Reply } from '../../simulation/observation.ts';
import type { Destination } from '../envoy/captured-socket.ts';
import type { RecordedNode } from '../istiod/istiod-process.ts';
import { accountsOf, STRANGER, spiffeIdOf } from './accounts.ts';
import { Certificates } from './certificates.ts';
import { Choices, type Way } from './choices.ts';
import { compareResults, isOfAttempts, type Result } from './compare.ts';
import { Echo, PROBE_HEADER } from './echo.ts';
import { type AppliedNode, EnvoySide } from './envoy-side.ts';
import { gatewayCallers } from './gateway-callers.ts';
import { grpcCallers } from './grpc-callers.ts';
import { Names } from './names.ts';
import { Resolver } from './resolver.ts';
import { SdkSide } from './sdk-side.ts';
import { serverCallers } from './server-callers.ts';
import { sidecarCallers } from './sidecar-callers.ts';
import { answerLookups } from './system-names.ts';
import { portsOf, type Translated } from './translated.ts';
import type { Account, Difference, Place, Request, Trial } from './trial.ts';

/** Asks the SDK again while chance chose otherwise than in Envoy. */
const MOST_TRIES = 6;

/** istiod and an Envoy on one side, our control plane and the SDK on the other, and the machines of drawn meshes. */
export class Bed implements AsyncDisposable {
  readonly certificates: Certificates;
  private readonly parts: AsyncDisposableStack;
  private readonly echo: Echo;
  private readonly envoy: EnvoySide;
  private readonly sdk: SdkSide;
  /** Of the mesh now; an Envoy's resolver answers by them. */
  private readonly names: { current: Names };
  private accounts: ReadonlyMap<string, string> = new Map();
  private asked = 0;
  /** Of the SDK's process now, by workload port. */
  private sockets = new Map<number, Promise<Destination>>();
  private gateway: Gateway | undefined;

  static async start(binary: string): Promise<Bed> {
    await using parts = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-whole-way-'));
    parts.defer(async () => rmSync(folder, { recursive: true, force: true }));
    const certificates = new Certificates(join(folder, 'certificates'));
    const names = { current: new Names([], '') };
    parts.use(answerLookups((name) => names.current.addressOf(name)));
    const resolver = parts.use(await Resolver.start((name) => names.current.addressOf(name)));
    const envoy = parts.use(await EnvoySide.start(binary, folder, certificates, resolver.port));
    const sdk = parts.use(await SdkSide.start(folder, certificates));
    return new Bed(certificates, envoy, sdk, names, parts.move());
  }

  private constructor(certificates: Certificates, envoy: EnvoySide, sdk: SdkSide, names: { current: Names }, parts: AsyncDisposableStack) {
    this.names = names;
    this.certificates = certificates;
    this.envoy = envoy;
    this.sdk = sdk;
    this.echo = parts.use(new Echo((address) => certificates.serverContext(this.accounts.get(address) ?? STRANGER)));
    this.parts = parts;
  }

  /** Makes every request of a trial on both sides; answers where they differ. */
  async compare(trial: Trial, { mesh, answer }: Translated): Promise<Difference[]> {
    const node = mesh.nodes.find(({ Name }) => Name === trial.node)!;
    const dump = answer.nodes[trial.node] ?? {};
    const trustDomain = (mesh.config.trustDomain as string | undefined) ?? 'cluster.local';
    const names = new Names(mesh.documents, node.Metadata.NAMESPACE as string);
    this.names.current = names;
    this.accounts = accountsOf(mesh.documents, trustDomain);
    this.echo.forget();
    this.echo.plaintext = '';
    this.envoy.forget();
    this.sdk.forget();
    this.sockets = new Map();
    const choices = new Choices(dump, (host) => names.addressOf(host));
    await Promise.all(choices.addresses().map(({ address, port }) => this.echo.listen(names.addressOf(address), port)));
    const [applied, member] = await Promise.all([
      this.envoy.apply(dump, spiffeIdOf(node, trustDomain)),
      this.sdk.apply(mesh, node, trustDomain, (host) => names.addressOf(host)),
    ]);
    if (applied.refused !== '') return [{ trial, request: undefined, lines: [`Envoy refuses what istiod sends: ${applied.refused}`] }];
    await this.gateway?.close({ drainMs: 0 });
    this.gateway = undefined;
    if (trial.place === 'gateway') {
      const ports = Object.fromEntries(portsOf(dump).map((port) => [port, 0]));
      this.gateway = createGateway({ mesh: member, ports, bindHost: node.ID.split('~')[1]! });
      await this.gateway.start();
    }
    const site = { applied, member, names, choices, node };
    const pairs = await concurrently(AT_ONCE, trial.requests, (request) => this.askBoth(site, trial.place, request));
    await settled();
    const differences: Difference[] = [];
    for (const pair of pairs) {
      const found = await this.compareOne(site, trial.place, pair);
      if (found.lines.length > 0) differences.push({ trial, request: pair.request, ...found });
    }
    return differences;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.parts.disposeAsync();
  }

  private async askBoth(site: Site, place: Place, request: Request): Promise<Asked> {
    const { envoy, sdk } = await this.callers(site, place, request);
    const ask = (call: Call): Promise<Answered> => this.make(call, request);
    const [byEnvoy, bySdk] = await Promise.all([ask(envoy), ask(sdk)]);
    return { request, byEnvoy, bySdk, again: () => ask(sdk), againByEnvoy: () => ask(envoy) };
  }

  private async compareOne(site: Site, place: Place, asked: Asked): Promise<Pick<Difference, 'lines' | 'accounts'>> {
    const { request } = asked;
    let envoy = await this.resultOfEnvoy(asked.byEnvoy);
    // Our own caller let go of its connection before the Envoy had written it off.
    for (let tries = 1; envoy.account?.flags === 'DC' && tries < MOST_TRIES; tries++) {
      envoy = await this.resultOfEnvoy(await asked.againByEnvoy());
    }
    let bySdk = asked.bySdk;
    for (let tries = 1; ; tries++) {
      const sdk = this.result(bySdk, this.sdk.account(bySdk.id));
      const lines = compareResults(envoy, sdk, place, (cluster) => site.choices.hostsOf(cluster));
      const accounts = { envoy: envoy.account, sdk: sdk.account };
      if (lines.length === 0 || !site.choices.leavesToChance(envoy.account, request)) return { lines, accounts };
      // Which attempt it was that somebody answered is left to chance, too.
      const allowed = site.choices.bothAllowed(wayOf(envoy), wayOf(sdk)) || lines.every(isOfAttempts);
      if (tries === MOST_TRIES) return { lines: allowed ? [] : lines, accounts };
      bySdk = await asked.again();
      await settled();
    }
  }

  private async resultOfEnvoy(answered: Answered): Promise<Result> {
    const passed = answered.reply.headers[HOP_HEADER] !== undefined;
    return this.result(answered, passed ? await this.envoy.account(answered.id).catch(() => SILENT) : undefined);
  }

  private callers(site: Site, place: Place, request: Request): Promise<{ envoy: Call; sdk: Call }> {
    if (place === 'sidecar') return sidecarCallers(site, this.echo, request);
    if (place === 'grpc') return grpcCallers(site, this.echo, request);
    if (place === 'gateway') return Promise.resolve(gatewayCallers(site, this.certificates, (port) => this.gatewayAt(port), request));
    return serverCallers(site, this.certificates, (port) => this.served(site, port), request);
  }

  private gatewayAt(port: number): Destination | undefined {
    return this.gateway?.addresses().find(({ listenerPort }) => listenerPort === port);
  }

  /** The SDK in front of the app that stands at the same port of the machine. */
  private async served({ member, node }: Site, port: number): Promise<Destination> {
    const own = `${node.ID.split('~')[1]}`;
    await this.echo.listen(own, port);
    this.echo.plaintext = own;
    const known = this.sockets.get(port) ?? member.listen(this.echo.app(`${own}:${port}`), port);
    this.sockets.set(port, known);
    return known;
  }

  private async make(call: Call, request: Request): Promise<Answered> {
    const id = String(++this.asked);
    this.echo.play(id, request.answers);
    return { id, reply: await within(ANSWER_MS, call({ ...request.headers, [PROBE_HEADER]: id })) };
  }

  private result({ id, reply }: Answered, account: Account | undefined): Result {
    return { observation: { replies: [reply], requests: this.echo.seen(id) }, account };
  }
}

interface Answered {
  readonly id: string;
  readonly reply: Reply;
}

/** A request as both sides answered it. */
interface Asked {
  readonly request: Request;
  readonly byEnvoy: Answered;
  readonly bySdk: Answered;
  readonly again: () => Promise<Answered>;
  readonly againByEnvoy: () => Promise<Answered>;
}

function wayOf({ account, observation }: Result): Way {
  return { account, attempts: observation.requests.map(({ workload }) => workload) };
}

/** Requests under way: no more than drawn circuit breakers allow, of retries too. */
const AT_ONCE = 3;

async function concurrently<T, R>(limit: number, list: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < list.length; at = next++) results[at] = await run(list[at]!);
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}

/** By then mirrored copies have come, which nobody waits for. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 25));
}

/** Longer than any answer of a drawn mesh takes. */
const ANSWER_MS = 4000;
const UNANSWERED: Reply = { status: 0, headers: {}, body: '', tookMs: 0 };

function within(limitMs: number, reply: Promise<Reply>): Promise<Reply> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(UNANSWERED), limitMs);
    // A connection that was refused or broke is no answer either.
    reply.then(resolve, () => resolve(UNANSWERED)).finally(() => clearTimeout(timer));
  });
}

/** Makes a request with these headers besides its own. */
export type Call = (headers: Readonly<Record<string, string>>) => Promise<Reply>;

/** One node of a mesh, on both sides. */
export interface Site {
  readonly applied: AppliedNode;
  readonly member: Member;
  readonly names: Names;
  readonly choices: Choices;
  readonly node: RecordedNode;
}

/** A request that an Envoy answered and did not log. */
const SILENT: Account = { route: 'not logged', cluster: '', host: '', flags: '', details: '' };

/** Every answer that passed an Envoy as HTTP has it. */
const HOP_HEADER = 'server';
