import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { PushContext } from '../push/push-context.ts';
import { FakeScheduler } from '../testing/fake-scheduler.ts';
import { sidecar } from '../testing/mesh.ts';
import { drawing, RandomMesh } from '../testing/random-mesh.ts';
import { encodeResources } from './encoded-resource.ts';
import type { SessionResponse } from './session-messages.ts';
import { ANSWER_MS, XdsSession } from './xds-session.ts';

const WHOLE = [CLUSTER_TYPE_URL, LISTENER_TYPE_URL];

/** A client that asks as a sidecar does, and what it has in the end. */
class Client {
  readonly held = new Map<string, Map<string, string>>();
  private readonly node: ProxyNode;
  private readonly scheduler = new FakeScheduler();
  private readonly session: XdsSession;
  private readonly inbox: SessionResponse[] = [];
  private readonly asked = new Map<string, Set<string>>();

  constructor(node: ProxyNode, push: PushContext) {
    this.node = node;
    this.session = new XdsSession({
      node,
      push,
      scheduler: this.scheduler,
      stateOfTheWorld: false,
      send: (response) => this.inbox.push(response),
      onRefused: () => {},
      onProblem: (_typeUrl, error) => {
        throw error;
      },
    });
    for (const typeUrl of WHOLE) this.ask(typeUrl, ['*']);
    this.ask(ROUTE_TYPE_URL, ['80', '9000']);
  }

  async update(push: PushContext, answers: boolean): Promise<void> {
    this.session.update(push);
    if (answers) await this.settle();
  }

  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      for (const response of this.inbox.splice(0)) {
        this.take(response);
        quiet = 0;
      }
      for (let turn = 0; turn < 6; turn++) await Promise.resolve();
      this.scheduler.advance(ANSWER_MS);
      if (this.inbox.length === 0) quiet++;
    }
  }

  /** What it would have if it had just come. */
  wanted(push: PushContext): Map<string, Map<string, string>> {
    return new Map(
      [...this.held.keys()].map((typeUrl) => {
        const names = WHOLE.includes(typeUrl) ? [] : [...(this.asked.get(typeUrl) ?? [])];
        return [typeUrl, new Map(encodeResources(typeUrl, this.node, push, names).map(({ name, version }) => [name, version]))];
      }),
    );
  }

  private take({ typeUrl, nonce, changed, removed }: SessionResponse): void {
    const held = this.held.get(typeUrl) ?? new Map<string, string>();
    this.held.set(typeUrl, held);
    for (const { name, version } of changed) held.set(name, version);
    for (const name of removed) held.delete(name);
    this.session.answer(typeUrl, nonce, undefined);
    if (typeUrl === CLUSTER_TYPE_URL) {
      const gone = removed.filter((name) => this.asked.get(ENDPOINT_TYPE_URL)?.delete(name));
      for (const name of gone) this.held.get(ENDPOINT_TYPE_URL)?.delete(name);
      const more = changed.map(({ endpointsName }) => endpointsName).filter((name) => name !== '');
      this.ask(ENDPOINT_TYPE_URL, more, gone);
    }
  }

  private ask(typeUrl: string, names: readonly string[], unsubscribe: readonly string[] = []): void {
    const asked = this.asked.get(typeUrl) ?? new Set();
    this.asked.set(typeUrl, asked);
    const subscribe = names.filter((name) => !asked.has(name));
    for (const name of subscribe) asked.add(name);
    if (subscribe.length + unsubscribe.length === 0) return;
    this.session.request({ typeUrl, subscribe, unsubscribe, initialVersions: {}, nonce: '', error: undefined });
  }
}

describe('clients of a mesh that changes', () => {
  it('have in the end what a client has that has just come, though they were sent what changed only', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 10 }), async (seed, steps) => {
        const draw = drawing(seed);
        const mesh = new RandomMesh(draw);
        let push = new PushContext(mesh.input);
        const clients = [
          new Client(sidecar('a-0', 'default', { LABELS: { app: 'a', version: 'v1' } }), push),
          new Client(sidecar('a-1', 'default', { LABELS: { app: 'a', version: 'v1' } }), push),
          new Client(sidecar('pod-c', 'shop', { LABELS: { app: 'c' }, RIPSTOP_VERSION: '1' }), push),
        ];
        for (const client of clients) await client.settle();
        const history: string[] = [];
        for (let step = 0; step < steps; step++) {
          history.push(mesh.change());
          push = new PushContext(mesh.input, push);
          // Some are slow: pushes come while they have not answered the last one.
          for (const client of clients) await client.update(push, draw(3) > 0);
        }
        for (const client of clients) await client.settle();
        const fresh = new PushContext(mesh.input);
        for (const client of clients) expect(client.held, history.join('\n')).toEqual(client.wanted(fresh));
      }),
      { numRuns: Number(process.env.RIPSTOP_FUZZ_RUNS ?? 25) },
    );
  });
});
