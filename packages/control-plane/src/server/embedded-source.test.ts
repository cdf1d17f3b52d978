import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL } from '@ripstop/xds-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlPlaneEvent } from '../events.ts';
import { service } from '../testing/mesh.ts';
import { createEmbeddedSource, type EmbeddedSubscription, type EmbeddedUpdate } from './embedded-source.ts';

const WEB = 'outbound|80||web.default.svc.cluster.local';
const CART = 'outbound|80||cart.default.svc.cluster.local';

let dir: string;
let subscription: EmbeddedSubscription | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ripstop-embedded-'));
});

afterEach(() => {
  subscription?.close();
  rmSync(dir, { recursive: true });
});

function subscribe(): { updates: EmbeddedUpdate[]; events: ControlPlaneEvent[]; subscription: EmbeddedSubscription } {
  const updates: EmbeddedUpdate[] = [];
  const events: ControlPlaneEvent[] = [];
  const node = { id: 'sidecar~127.0.0.1~web-1.default~default.svc.cluster.local', metadata: {} };
  subscription = createEmbeddedSource({ dir, node, onEvent: (event) => events.push(event) }).subscribe((update) => {
    updates.push(update);
    return [];
  });
  return { updates, events, subscription };
}

const outbound = ({ resources }: EmbeddedUpdate): string[] =>
  resources.map(({ name }) => name).filter((name) => name.startsWith('outbound|'));

describe('the embedded source', () => {
  it('hands over what is wanted, clusters before listeners, after subscribe has returned', async () => {
    writeFileSync(join(dir, 'web.yaml'), service('web'));
    const { updates, subscription } = subscribe();
    subscription.want(LISTENER_TYPE_URL, '*');
    subscription.want(CLUSTER_TYPE_URL, '*');
    expect(updates).toEqual([]);
    await expect.poll(() => updates.map(({ typeUrl }) => typeUrl)).toEqual([CLUSTER_TYPE_URL, LISTENER_TYPE_URL]);
    expect(outbound(updates[0]!)).toEqual([WEB]);
  });

  it('follows the folder and hands over what changed and what is gone, once', async () => {
    writeFileSync(join(dir, 'web.yaml'), service('web'));
    const { updates, events, subscription } = subscribe();
    subscription.want(CLUSTER_TYPE_URL, '*');
    await expect.poll(() => updates.length).toBe(1);
    writeFileSync(join(dir, 'web.yaml'), service('cart'));
    await expect.poll(() => updates.length).toBe(2);
    expect([outbound(updates[1]!), updates[1]!.removed]).toEqual([[CART], [WEB]]);
    writeFileSync(join(dir, 'namespace.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n');
    await expect.poll(() => events.filter(({ type }) => type === 'configuration').length).toBe(3);
    expect(updates).toHaveLength(2);
  });

  it('hands over named resources, and takes back those that are not wanted any more', async () => {
    writeFileSync(join(dir, 'web.yaml'), service('web') + service('cart'));
    const { updates, subscription } = subscribe();
    subscription.want(ENDPOINT_TYPE_URL, [WEB]);
    await expect.poll(() => updates.map(outbound)).toEqual([[WEB]]);
    subscription.want(ENDPOINT_TYPE_URL, [CART]);
    await expect.poll(() => updates.length).toBe(2);
    expect([outbound(updates[1]!), updates[1]!.removed]).toEqual([[CART], [WEB]]);
  });

  it('keeps the last good configuration, and tells what is wrong with the new one', async () => {
    writeFileSync(join(dir, 'web.yaml'), service('web'));
    const { updates, events, subscription } = subscribe();
    subscription.want(CLUSTER_TYPE_URL, '*');
    await expect.poll(() => updates.length).toBe(1);
    writeFileSync(join(dir, 'web.yaml'), '{ nonsense');
    await expect.poll(() => events.filter(({ type }) => type === 'configuration').length).toBe(2);
    const last = events.at(-1)!;
    expect(last.type === 'configuration' && last.findings[0]).toMatchObject({ severity: 'error', position: { file: 'web.yaml' } });
    expect(updates).toHaveLength(1);
  });

  it('throws at once for a folder that does not exist', () => {
    rmSync(dir, { recursive: true });
    expect(() => subscribe()).toThrow(/ENOENT/);
    writeFileSync(dir, '');
  });
});
