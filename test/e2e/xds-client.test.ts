import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, createControlPlane } from '@ripstop/control-plane';
import type { Clock, ConfigUpdate, Rejection } from '@ripstop/core';
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL } from '@ripstop/xds-api';
import { type AdsSource, createAdsSource } from '@ripstop/xds-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const clock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

const service = (name: string, port = 80): string => `---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: ${port}, targetPort: 80 }] }
`;
const cluster = (name: string, port = 80): string => `outbound|${port}||${name}.default.svc.cluster.local`;

let dir: string;
let plane: ControlPlane;
let client: Client;
const clients: Client[] = [];

async function startPlane(xds = '127.0.0.1:0'): Promise<void> {
  plane = createControlPlane({ source: join(dir, 'mesh.yaml'), stateDir: join(dir, 'state'), xds, xdsTls: '127.0.0.1:0', http: '' });
  await plane.start();
}

function save(...texts: string[]): void {
  writeFileSync(join(dir, 'mesh.yaml'), texts.join(''));
}

/** Our xDS client with what it was given, and with the verdicts that a test gives. */
class Client {
  readonly updates: ConfigUpdate[] = [];
  readonly logs: string[] = [];
  readonly source: AdsSource;
  reject: (update: ConfigUpdate) => readonly Rejection[] = () => [];

  constructor(options: { readonly address?: string; readonly token?: string; readonly serviceAccount?: string } = {}) {
    const { address = plane.addresses.xds, token, serviceAccount = 'web' } = options;
    this.source = createAdsSource({
      address,
      ...(token === undefined ? {} : { token: () => token, tls: { rootCertificatePem: () => plane.ca.rootCertificatePem } }),
      node: () => ({
        id: 'sidecar~127.0.0.1~web-1.default~default.svc.cluster.local',
        cluster: 'web.default',
        metadata: {
          NAMESPACE: 'default',
          SERVICE_ACCOUNT: serviceAccount,
          LABELS: { app: 'web' },
          RIPSTOP_PORTS: [{ workloadPort: 80, name: '', address: '127.0.0.1', port: 4001 }],
        },
      }),
      clock,
      random: () => 0,
      log: (line) => this.logs.push(line),
    });
    const subscription = this.source.subscribe((update) => {
      this.updates.push(update);
      return this.reject(update);
    });
    subscription.want(CLUSTER_TYPE_URL, '*');
    subscription.want(ENDPOINT_TYPE_URL, [cluster('web'), cluster('cart')]);
    clients.push(this);
  }

  /** `<kind> +changed -removed` of every update since the last call. */
  take(): string[] {
    return this.updates.splice(0).map(({ typeUrl, resources, removed }) => {
      const names = resources.map(({ name }) => name).filter((name) => name.startsWith('outbound|'));
      return [typeUrl.split('.').at(-1), ...names.map((name) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' ');
    });
  }

  /** Everything of the plane's present configuration is here and acknowledged. */
  async synced(): Promise<void> {
    await expect.poll(() => plane.syncState().find(({ name }) => name === 'web-1')?.synced, { interval: 2 }).toBe(true);
  }
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ripstop-e2e-'));
  save(service('web'), service('cart'));
  await startPlane();
  client = new Client();
  await client.synced();
});

afterEach(async () => {
  for (const { source } of clients.splice(0)) source.close();
  await plane.close();
  rmSync(dir, { recursive: true });
});

describe('our xDS client at our control plane', () => {
  it('has a saved change within the second, and the control plane knows', async () => {
    const delays: number[] = [];
    client.take();
    for (let turn = 1; turn <= 5; turn++) {
      const saved = performance.now();
      save(service('web'), service('cart'), service('new', 9000 + turn));
      await expect.poll(() => client.take().join(), { interval: 2 }).toContain(cluster('new', 9000 + turn));
      delays.push(performance.now() - saved);
      await client.synced();
    }
    delays.sort((a, b) => a - b);
    // 300 ms is the aim for the typical save, a second the promise for each.
    expect(delays[2]).toBeLessThan(300);
    expect(delays[4]).toBeLessThan(1000);
  });

  it('keeps what it has while the control plane is away, and afterwards is given only the difference', async () => {
    const address = plane.addresses.xds;
    client.source.register({ serving: true });
    await expect.poll(() => plane.push.instances.length).toBe(1);
    await client.synced();
    await plane.close();
    await expect.poll(() => client.logs.join()).toMatch(/the last configuration stays in force/);
    client.take();
    save(service('web'), service('shop'));
    await startPlane(address);
    await expect.poll(() => client.logs.at(-1), { timeout: 10_000 }).toMatch(/connected to .* again/);
    await client.synced();
    expect(client.take()[0]).toBe(`Cluster +${cluster('shop')} -${cluster('cart')}`);
    expect(plane.push.instances.map(({ key }) => key)).toEqual(['web-1.default']);
  });

  it('refuses a resource with its reason, once; the control plane shows it until a good one comes', async () => {
    client.reject = ({ typeUrl, resources }) =>
      resources.filter(({ name }) => name === cluster('bad')).map(({ name }) => ({ typeUrl, name, reason: 'cannot be served' }));
    client.take();
    save(service('web'), service('cart'), service('bad'));
    await expect.poll(() => plane.syncState()[0]!.nack).toBe(`${cluster('bad')}: cannot be served`);
    expect(client.take().filter((line) => line.includes('bad'))).toHaveLength(1);
    expect(plane.syncState()[0]!.synced).toBe(false);
    save(service('web'), service('cart'));
    await client.synced();
    expect(plane.syncState()[0]!.nack).toBe('');
  });

  it('says goodbye when it closes: its workload is gone at once', async () => {
    client.source.register({ serving: true });
    await expect.poll(() => plane.push.instances.length).toBe(1);
    client.source.close();
    await expect.poll(() => plane.push.instances.length).toBe(0);
  });

  it('is served over TLS as what its token says, and told why not otherwise', async () => {
    const token = plane.tokens.issue({ namespace: 'default', serviceAccount: 'web', ttlSeconds: 60 });
    const address = plane.addresses.xdsTls;
    const honest = new Client({ address, token });
    await expect.poll(() => honest.take()[0]).toContain(cluster('web'));
    const liar = new Client({ address, token, serviceAccount: 'admin' });
    await expect.poll(() => liar.source.state().lastError).toMatch(/^PERMISSION_DENIED: the token is for default\/web/);
    const forged = new Client({ address, token: `${token}x` });
    await expect.poll(() => forged.source.state().lastError).toMatch(/^UNAUTHENTICATED: /);
    expect([...liar.updates, ...forged.updates]).toEqual([]);
  });
});
