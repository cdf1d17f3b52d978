import {
  CLUSTER_TYPE_URL,
  Cluster,
  ClusterLoadAssignment,
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  ENDPOINT_TYPE_URL,
  LISTENER_TYPE_URL,
  Listener,
  ROUTE_TYPE_URL,
  RouteConfiguration,
} from '@ripstop/xds-api';
import type { Out } from '../ads/codec.ts';
import { DeltaCodec } from '../ads/delta.ts';
import { encodeResources } from '../ads/encoded-resource.ts';
import type { SessionResponse } from '../ads/session-messages.ts';
import { SharedBodies } from '../ads/shared-bodies.ts';
import { SotwCodec } from '../ads/sotw.ts';
import type { Work } from '../ads/turns.ts';
import { PREFIX_BYTES, type WireMessage } from '../ads/wire.ts';
import { ANSWER_MS, WARMING_MS, XdsSession } from '../ads/xds-session.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { FakeScheduler } from './fake-scheduler.ts';
import type { Draw } from './random-mesh.ts';

export const TYPES: readonly string[] = [CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL];
const WHOLE: ReadonlySet<string> = new Set([CLUSTER_TYPE_URL, LISTENER_TYPE_URL]);

/** What a kind of client may ask for, by type. */
export type Names = Readonly<Record<string, readonly string[]>>;

export interface Options {
  readonly node: ProxyNode;
  readonly names: Names;
  /** CDS and LDS are asked for whole to begin with. */
  readonly wildcard: boolean;
  readonly push: PushContext;
  readonly draw: Draw;
}

/**
 * A client at the other end of a slow wire: what either side says waits until it is delivered, and the server's work until it is its turn.
 * What the client holds follows from the protocol alone.
 */
export abstract class Client {
  readonly node: ProxyNode;
  protected readonly held: Map<string, Map<string, string>> = new Map(TYPES.map((typeUrl) => [typeUrl, new Map<string, string>()]));
  protected readonly asked: Map<string, Set<string>> = new Map(TYPES.map((typeUrl) => [typeUrl, new Set<string>()]));
  protected session: XdsSession;
  protected readonly toServer: (() => void)[] = [];
  private readonly toClient: Buffer[] = [];
  private readonly turns: Work[] = [];
  private readonly scheduler = new FakeScheduler();
  private readonly options: Options;
  private readonly stateOfTheWorld: boolean;
  private push: PushContext;

  constructor(options: Options, stateOfTheWorld: boolean) {
    this.options = options;
    this.stateOfTheWorld = stateOfTheWorld;
    this.node = options.node;
    this.push = options.push;
    this.session = this.connect();
  }

  protected abstract respond(response: SessionResponse): void;
  protected abstract receive(bytes: Buffer): void;
  protected abstract ask(typeUrl: string, subscribe: readonly string[], unsubscribe: readonly string[]): void;
  /** The first requests on another stream. */
  protected abstract resume(): void;

  begin(): this {
    if (this.options.wildcard) for (const typeUrl of WHOLE) this.change(typeUrl, ['*'], []);
    return this;
  }

  update(push: PushContext): void {
    this.push = push;
    this.session.update(push);
  }

  /** Something happens: a message arrives, a turn comes, time passes, the client asks for something else, or the stream breaks. */
  async step(): Promise<void> {
    const { draw } = this.options;
    const what = draw(100);
    if (what < 26) this.changeSomething();
    else if (what < 49) this.toServer.shift()?.();
    else if (what < 70) this.deliver();
    else if (what < 90) this.turn();
    else if (what < 98) this.scheduler.advance([100, WARMING_MS, ANSWER_MS][draw(3)]!);
    else this.reconnect();
    await microtasks();
  }

  /** Everything arrives, and nothing new happens. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      while (this.toServer.length + this.toClient.length + this.turns.length > 0) {
        this.toServer.shift()?.();
        this.turn();
        this.deliver();
        await microtasks();
        quiet = 0;
      }
      this.scheduler.advance(ANSWER_MS);
      await microtasks();
    }
  }

  /** What it holds of what it asks for. */
  holds(typeUrl: string): Map<string, string> {
    const asked = this.asked.get(typeUrl)!;
    return new Map([...this.held.get(typeUrl)!].filter(([name]) => asked.has('*') || asked.has(name)));
  }

  /** What it would hold if it had just come. */
  wanted(typeUrl: string, push: PushContext): Map<string, string> {
    const asked = this.asked.get(typeUrl)!;
    const names = asked.has('*') ? [] : [...asked];
    const all = asked.size === 0 ? [] : encodeResources(typeUrl, this.node, push, names);
    const mine = all.filter(({ name }) => asked.has('*') || asked.has(name));
    return new Map(mine.map(({ name, any }) => [name, text(any.value)]));
  }

  protected out(): Out {
    return {
      bodies: new SharedBodies(this.scheduler),
      write: ({ head, body = new Uint8Array() }: WireMessage) => {
        this.toClient.push(Buffer.concat([head.subarray(PREFIX_BYTES), body]));
        return head.length + body.length;
      },
    };
  }

  private connect(): XdsSession {
    return new XdsSession({
      node: this.node,
      push: this.push,
      scheduler: this.scheduler,
      stateOfTheWorld: this.stateOfTheWorld,
      whenItIsMyTurn: (work) => this.turns.push(work),
      send: (response) => this.respond(response),
      onRefused: () => {},
      onProblem: (_typeUrl, error) => {
        throw error;
      },
    });
  }

  private reconnect(): void {
    this.session.close();
    for (const lost of [this.toServer, this.toClient, this.turns]) lost.length = 0;
    this.session = this.connect();
    this.resume();
  }

  private change(typeUrl: string, subscribe: readonly string[], unsubscribe: readonly string[]): void {
    const asked = this.asked.get(typeUrl)!;
    const more = subscribe.filter((name) => !asked.has(name));
    for (const name of more) asked.add(name);
    const less = unsubscribe.filter((name) => asked.delete(name));
    if (more.length + less.length > 0) this.ask(typeUrl, more, less);
  }

  private changeSomething(): void {
    const { draw, names, wildcard } = this.options;
    const typeUrl = TYPES[draw(TYPES.length)]!;
    if (wildcard && WHOLE.has(typeUrl)) return;
    const some = (): string[] => names[typeUrl]!.filter(() => draw(4) === 0);
    this.change(typeUrl, some(), some());
  }

  private deliver(): void {
    const bytes = this.toClient.shift();
    if (bytes !== undefined) this.receive(bytes);
  }

  private turn(): void {
    const [work] = this.turns;
    if (work !== undefined && work() !== true && this.turns[0] === work) this.turns.shift();
  }
}

export class DeltaClient extends Client {
  private codec = new DeltaCodec(this.out());
  /** Of what it holds, by type. */
  private readonly versions = new Map(TYPES.map((typeUrl) => [typeUrl, new Map<string, string>()]));

  constructor(options: Options) {
    super(options, false);
  }

  protected respond(response: SessionResponse): void {
    this.codec.respond(response);
  }

  protected ask(typeUrl: string, subscribe: readonly string[], unsubscribe: readonly string[]): void {
    for (const name of unsubscribe) this.forget(typeUrl, name);
    this.write({ typeUrl, resourceNamesSubscribe: [...subscribe], resourceNamesUnsubscribe: [...unsubscribe] });
  }

  protected resume(): void {
    this.codec = new DeltaCodec(this.out());
    for (const [typeUrl, asked] of this.asked) {
      if (asked.size === 0) continue;
      const initialResourceVersions = Object.fromEntries(this.versions.get(typeUrl)!);
      this.write({ typeUrl, resourceNamesSubscribe: [...asked], initialResourceVersions });
    }
  }

  protected receive(bytes: Buffer): void {
    const { typeUrl, nonce, resources, removedResources } = DeltaDiscoveryResponse.decode(bytes);
    const asked = this.asked.get(typeUrl)!;
    for (const { name, version, resource } of resources) {
      if (!asked.has('*') && !asked.has(name)) continue;
      this.held.get(typeUrl)!.set(name, text(resource!.value));
      this.versions.get(typeUrl)!.set(name, version);
    }
    for (const name of removedResources) this.forget(typeUrl, name);
    this.write({ typeUrl, responseNonce: nonce });
  }

  private forget(typeUrl: string, name: string): void {
    this.held.get(typeUrl)!.delete(name);
    this.versions.get(typeUrl)!.delete(name);
  }

  private write(fields: Parameters<typeof DeltaDiscoveryRequest.fromPartial>[0]): void {
    const request = DeltaDiscoveryRequest.fromPartial(fields);
    this.toServer.push(() => this.session.request(this.codec.read(request)));
  }
}

const NAME_OF: Readonly<Record<string, (value: Uint8Array) => string>> = {
  [CLUSTER_TYPE_URL]: (value) => Cluster.decode(value).name,
  [ENDPOINT_TYPE_URL]: (value) => ClusterLoadAssignment.decode(value).clusterName,
  [LISTENER_TYPE_URL]: (value) => Listener.decode(value).name,
  [ROUTE_TYPE_URL]: (value) => RouteConfiguration.decode(value).name,
};

/** It keeps what it no longer asks for: the server may miss that it was given up, and does not say it again. */
export class SotwClient extends Client {
  private codec = new SotwCodec(this.out());
  private readonly nonces = new Map<string, string>();

  constructor(options: Options) {
    super(options, true);
  }

  protected respond(response: SessionResponse): void {
    this.codec.respond(response);
  }

  protected ask(typeUrl: string): void {
    const resourceNames = [...this.asked.get(typeUrl)!].filter((name) => name !== '*');
    const request = DiscoveryRequest.fromPartial({ typeUrl, resourceNames, responseNonce: this.nonces.get(typeUrl) ?? '' });
    this.toServer.push(() => {
      const read = this.codec.read(request, this.session.lastNonce(typeUrl));
      if (read !== undefined) this.session.request(read);
      else this.session.answer(typeUrl, request.responseNonce, undefined);
    });
  }

  protected resume(): void {
    this.codec = new SotwCodec(this.out());
    this.nonces.clear();
    for (const [typeUrl, asked] of this.asked) if (asked.size > 0) this.ask(typeUrl);
  }

  protected receive(bytes: Buffer): void {
    const { typeUrl, nonce, resources } = DiscoveryResponse.decode(bytes);
    const held = this.held.get(typeUrl)!;
    // What a response of these leaves out does not exist.
    if (WHOLE.has(typeUrl)) held.clear();
    for (const { value } of resources) held.set(NAME_OF[typeUrl]!(value), text(value));
    this.nonces.set(typeUrl, nonce);
    this.ask(typeUrl);
  }
}

async function microtasks(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await Promise.resolve();
}

function text(value: Uint8Array): string {
  return Buffer.from(value).toString('base64');
}
