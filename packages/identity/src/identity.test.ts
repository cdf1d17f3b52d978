import type { Clock } from '@ripstop/core';
import { createSelfSignedRoot, issueCertificate, verifyCsr } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { Identity, type SignCsr } from './identity.ts';

const DAY = 86_400_000;

class FakeClock implements Clock {
  time = Date.UTC(2026, 5, 1);
  private timers: { at: number; run: () => void }[] = [];
  now(): number {
    return this.time;
  }
  wallTime(): number {
    return this.time;
  }
  setTimer(run: () => void, delayMs: number): { cancel(): void } {
    const timer = { at: this.time + delayMs, run };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }
  /** Moves on, running what falls due, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settle();
      const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = next.at;
      next.run();
    }
    this.time = end;
    await settle();
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function authority(clock: Clock, account = 'web'): SignCsr {
  const root = createSelfSignedRoot({
    organization: 'cluster.local',
    notBeforeMs: clock.wallTime() - DAY,
    notAfterMs: clock.wallTime() + 3650 * DAY,
  });
  const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
  return async (csr, ttlSeconds) => {
    const names = { uris: [`spiffe://cluster.local/ns/default/sa/${account}`] };
    const leaf = issueCertificate(issuer, {
      publicKey: verifyCsr(csr),
      names,
      notBeforeMs: clock.wallTime(),
      notAfterMs: clock.wallTime() + ttlSeconds * 1000,
    });
    return [leaf, root.certificatePem];
  };
}

function identity(clock: Clock, sign: SignCsr): Identity {
  return new Identity({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'web', clock, random: () => 0.5 }, sign);
}

describe('workload identity', () => {
  it('rotates at half life, with a new key and a higher generation each time', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock));
    const first = await source.ready();
    const seen: number[] = [];
    source.onRotate((next) => void seen.push(next.generation));
    await clock.advance(DAY / 2 - 1000);
    expect(seen).toEqual([]);
    await clock.advance(2000);
    expect(seen).toEqual([2]);
    expect(source.current()!.serialNumber).not.toBe(first.serialNumber);
    expect(source.current()!.privateKeyPem).not.toBe(first.privateKeyPem);
    source.close();
  });

  it('keeps its certificate while the CA is away, has none after it expired, and recovers', async () => {
    const clock = new FakeClock();
    const good = authority(clock);
    let down = false;
    const source = identity(clock, (csr, ttl) => (down ? Promise.reject(new Error('connection refused')) : good(csr, ttl)));
    const first = await source.ready();
    down = true;
    await clock.advance(DAY - 60_000);
    expect(source.current()).toBe(first);
    await clock.advance(120_000);
    expect(source.current()).toBeUndefined();
    expect(source.state().lastError).toBe('connection refused');
    down = false;
    await clock.advance(2_000);
    expect(source.current()!.generation).toBe(2);
    source.close();
  });

  it('refuses a certificate for somebody else', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock, 'admin'));
    await expect(source.rotateNow()).rejects.toThrow(/instead of spiffe:\/\/cluster.local\/ns\/default\/sa\/web/);
    expect(source.current()).toBeUndefined();
    source.close();
  });

  it('survives a thousand rotations', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock));
    await source.ready();
    const serials = new Set<string>();
    for (let count = 0; count < 1000; count++) serials.add((await source.rotateNow()).serialNumber);
    expect(serials.size).toBe(1000);
    source.close();
  });
});
