import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { SavedWorkloads } from './saved-workloads.ts';
import { RESTORED_GRACE_MS, type Scheduler, WorkloadRegistry } from './workload-registry.ts';

describe('registrations over a restart', () => {
  const dirs: string[] = [];
  afterEach(() => {
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
  });

  function stateDir(): string {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-saved-'));
    dirs.push(dir);
    return dir;
  }

  function registry(): { registry: WorkloadRegistry; withdrawn: string[]; pass(ms: number): void } {
    const timers: { run(): void; delayMs: number; cancelled: boolean }[] = [];
    const scheduler: Scheduler = {
      setTimer: (run, delayMs) => {
        const timer = { run, delayMs, cancelled: false };
        timers.push(timer);
        return { cancel: () => void Object.assign(timer, { cancelled: true }) };
      },
    };
    const withdrawn: string[] = [];
    const created = new WorkloadRegistry(scheduler, {
      onRegistered: () => {},
      onWithdrawn: ({ key }, reason) => withdrawn.push(`${key}: ${reason}`),
    });
    return {
      registry: created,
      withdrawn,
      pass: (ms) => {
        for (const timer of timers) if (!timer.cancelled && timer.delayMs <= ms) timer.run();
      },
    };
  }

  const node = (name: string) =>
    proxyNodeOf({
      id: `sidecar~127.0.0.1~${name}.default~default.svc.cluster.local`,
      metadata: {
        NAMESPACE: 'default',
        SERVICE_ACCOUNT: 'reviews',
        LABELS: { app: 'reviews' },
        RIPSTOP_PORTS: [{ workloadPort: 9080, name: 'http', address: '127.0.0.1', port: 4711 }],
      },
      locality: { region: '', zone: '', subZone: '' },
    });

  it('keeps a workload that comes back after the longest back-off of a client, and lets go of one that does not', () => {
    const dir = stateDir();
    const before = registry();
    for (const name of ['reviews-1', 'reviews-2'])
      before.registry.health({ owner: {}, node: node(name), verified: true, error: undefined });
    new SavedWorkloads(dir).save(before.registry.saved);

    const after = registry();
    after.registry.restore(new SavedWorkloads(dir).load());
    expect(after.registry.instances).toEqual(before.registry.instances);
    after.pass(30_000); // Envoy's longest back-off.
    expect(after.registry.instances).toHaveLength(2);
    expect(after.registry.health({ owner: {}, node: node('reviews-1'), verified: true, error: undefined })).toBeUndefined();
    after.pass(RESTORED_GRACE_MS);
    expect(after.registry.instances.map(({ name }) => name)).toEqual(['reviews-1']);
    expect(after.withdrawn).toEqual(['reviews-2.default: it did not come back after the restart']);
  });

  it('still refuses a stranger under the name of a workload that had proved its account', () => {
    const dir = stateDir();
    const before = registry();
    before.registry.health({ owner: {}, node: node('reviews-1'), verified: true, error: undefined });
    new SavedWorkloads(dir).save(before.registry.saved);
    const after = registry();
    after.registry.restore(new SavedWorkloads(dir).load());
    expect(after.registry.health({ owner: {}, node: node('reviews-1'), verified: false, error: undefined })).toMatch(/is registered by/);
  });

  it('finds nothing without a file, and says what is wrong with a damaged one', () => {
    const dir = stateDir();
    expect(new SavedWorkloads(dir).load()).toEqual([]);
    writeFileSync(join(dir, 'workloads.json'), '[{"instance":{"key":"x"},"verified":true}]');
    expect(() => new SavedWorkloads(dir).load()).toThrow(/workloads\.json does not hold a list of workloads/);
    writeFileSync(join(dir, 'workloads.json'), '[{');
    expect(() => new SavedWorkloads(dir).load()).toThrow(/JSON/);
  });

  it('is readable by its owner only', () => {
    const dir = stateDir();
    new SavedWorkloads(dir).save([]);
    expect(statSync(join(dir, 'workloads.json')).mode & 0o777).toBe(0o600);
  });
});
