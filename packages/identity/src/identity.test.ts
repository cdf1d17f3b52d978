import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Clock } from '@ripstop/core';
import { createSelfSignedRoot, fromPem, issueCertificate, verifyCsr } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { Identity, type IdentityOptions, type SignCsr } from './identity.ts';

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

function identity(clock: Clock, sign: SignCsr, more: Partial<IdentityOptions> = {}): Identity {
  const account = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'web' };
  return new Identity({ ...account, clock, random: () => 0.5, ...more }, sign);
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
    const sign: SignCsr = (csr, ttl) => (down ? Promise.reject(new Error('connection refused')) : good(csr, ttl));
    const source = identity(clock, sign, { ttlSeconds: 600 });
    const first = await source.ready();
    down = true;
    await clock.advance(540_000);
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

  it('survives a hundred rotations, each with a number of its own', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock));
    await source.ready();
    const serials = new Set<string>();
    for (let count = 0; count < 100; count++) serials.add((await source.rotateNow()).serialNumber);
    expect(serials.size).toBe(100);
    source.close();
  });

  it.each([
    [0, 0.49],
    [0.5, 0.5],
    [0.999999, 0.51],
  ])('rotates a little before or after half life, by chance (%d: at %d)', async (chance, share) => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock), { random: () => chance });
    await source.ready();
    const began = clock.time;
    let at = 0;
    source.onRotate(() => {
      at ||= clock.time - began;
    });
    await clock.advance(DAY * 0.52);
    expect(at / DAY).toBeCloseTo(share, 4);
    source.close();
  });

  it('asks for a day, or for what it was told', async () => {
    const clock = new FakeClock();
    const asked: number[] = [];
    const good = authority(clock);
    const sign: SignCsr = (csr, ttl) => {
      asked.push(ttl);
      return good(csr, ttl);
    };
    const [usual, short] = [identity(clock, sign), identity(clock, sign, { ttlSeconds: 60 })];
    await Promise.all([usual.ready(), short.ready()]);
    expect(asked).toEqual([86_400, 60]);
    for (const one of [usual, short]) one.close();
  });

  it('is never renewed more than once a second, and a life of a century is no reason to hurry', async () => {
    const clock = new FakeClock();
    const short = identity(clock, authority(clock), { ttlSeconds: 1 });
    await short.ready();
    let renewed = 0;
    short.onRotate(() => void renewed++);
    await clock.advance(999);
    expect(renewed).toBe(0);
    await clock.advance(1);
    expect(renewed).toBe(1);
    short.close();
    const delays: number[] = [];
    const watched: Clock = {
      now: () => clock.now(),
      wallTime: () => clock.wallTime(),
      setTimer: (run, delayMs) => {
        delays.push(delayMs);
        return clock.setTimer(run, delayMs);
      },
    };
    const long = identity(watched, authority(clock), { ttlSeconds: 10 * 365 * 86_400 });
    await long.ready();
    expect(delays).toEqual([2 ** 31 - 1]); // Longer timers fire at once.
    long.close();
  });

  it.each([
    ['a certificate that lasts', true, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
    ['none', false, [500, 1000, 2000, 2000, 2000, 2000, 2000, 2000]],
  ])('tries again after twice the time, in the second half of each wait by chance; with %s', async (_what, has, ceilings) => {
    for (const [chance, share] of [
      [0, 0.5],
      [0.5, 0.75],
    ] as const) {
      const clock = new FakeClock();
      const good = authority(clock);
      const at: number[] = [];
      let down = !has;
      const sign: SignCsr = (csr, ttl) => {
        if (!down) return good(csr, ttl);
        at.push(clock.time);
        return Promise.reject(new Error('no'));
      };
      const source = identity(clock, sign, { random: () => chance });
      if (has) await source.ready();
      down = true;
      await clock.advance(has ? DAY / 2 + 120_000 : 60_000);
      const waits = at.slice(1).map((time, index) => (time - at[index]!) / share);
      expect(waits.slice(0, ceilings.length)).toEqual(ceilings);
      source.close();
    }
  });

  it('waits the shortest time again once the CA has answered in between', async () => {
    const clock = new FakeClock();
    const good = authority(clock);
    let down = true;
    const at: number[] = [];
    const source = identity(clock, (csr, ttl) => {
      at.push(clock.time);
      return down ? Promise.reject('away') : good(csr, ttl);
    });
    await clock.advance(2000);
    expect(source.state().lastError).toBe('away');
    down = false;
    await clock.advance(5000);
    expect(source.state()).toMatchObject({
      lastError: '',
      serialNumber: source.current()!.serialNumber,
      notAfterMs: source.current()!.notAfterMs,
    });
    down = true;
    at.length = 0;
    await clock.advance(DAY / 2 + 400);
    expect(at[1]! - at[0]!).toBe(375);
    source.close();
  });

  it('says what it has: the names, the times and the roots of the certificate, and nothing before there is one', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock));
    expect([source.current(), source.state()]).toEqual([undefined, { serialNumber: '', notAfterMs: 0, lastError: '' }]);
    const svid = await source.ready();
    expect(svid).toMatchObject({
      spiffeId: 'spiffe://cluster.local/ns/default/sa/web',
      generation: 1,
      notBeforeMs: clock.time,
      notAfterMs: clock.time + DAY,
    });
    const leaf = new X509Certificate(svid.certificateChainPem);
    expect(leaf.serialNumber).toBe(svid.serialNumber);
    expect(leaf.checkPrivateKey(createPrivateKey(svid.privateKeyPem))).toBe(true);
    expect(leaf.verify(new X509Certificate(svid.trustBundlePem).publicKey)).toBe(true);
    expect(Object.keys(svid)).not.toContain('privateKeyPem'); // Copies and logs do not carry it.
    expect(await source.ready()).toBe(svid);
    source.close();
  });

  it.each<[chain: (leaf: string, root: string) => string[], why: RegExp]>([
    [() => [], /the CA sent no root certificate/],
    [(leaf) => [leaf], /the CA sent no root certificate/],
    [(_leaf, root) => [root, root], /the CA issued a certificate without names instead of spiffe/],
  ])('refuses a chain that is too short or names nobody', async (chain, why) => {
    const clock = new FakeClock();
    const good = authority(clock);
    const source = identity(clock, async (csr, ttl) => chain(...((await good(csr, ttl)) as [string, string])));
    await expect(source.rotateNow()).rejects.toThrow(why);
    expect([source.current(), source.state().lastError]).toEqual([undefined, expect.stringMatching(why)]);
    source.close();
  });

  it('keeps the intermediates with the leaf, and the roots apart', async () => {
    const clock = new FakeClock();
    const good = authority(clock);
    const source = identity(clock, async (csr, ttl) => {
      const [leaf, root] = (await good(csr, ttl)) as [string, string];
      return [leaf, 'intermediate', root];
    });
    const { certificateChainPem, trustBundlePem } = await source.ready();
    expect(certificateChainPem.endsWith('-----END CERTIFICATE-----\nintermediate')).toBe(true);
    expect(trustBundlePem).toMatch(/^-----BEGIN CERTIFICATE-----/);
    source.close();
  });

  it('asks the CA once at a time, whoever wants a certificate', async () => {
    const clock = new FakeClock();
    const good = authority(clock);
    let asked = 0;
    const source = identity(clock, (csr, ttl) => {
      asked++;
      return good(csr, ttl);
    });
    const [first, second] = await Promise.all([source.rotateNow(), source.rotateNow()]);
    expect([asked, first === second]).toEqual([1, true]);
    await source.rotateNow();
    expect(asked).toBe(2);
    await clock.advance(DAY / 2 - 1);
    expect(asked).toBe(2); // The timers of the earlier ones are gone.
    source.close();
  });

  it('has none from the moment it expires, says so once, and tells when the CA does not answer', async () => {
    const clock = new FakeClock();
    const good = authority(clock);
    let down = false;
    const lines: string[] = [];
    const source = identity(clock, (csr, ttl) => (down ? Promise.reject(new Error('refused')) : good(csr, ttl)), {
      log: (line) => lines.push(line),
      ttlSeconds: 600,
    });
    await source.ready();
    down = true;
    await clock.advance(599_999);
    expect(source.current()).toBeDefined();
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.every((line) => line === 'no certificate for spiffe://cluster.local/ns/default/sa/web: refused')).toBe(true);
    lines.length = 0;
    clock.time += 1;
    expect([source.current(), source.current()]).toEqual([undefined, undefined]);
    expect(lines).toEqual([
      expect.stringMatching(/^the certificate of spiffe:.* has expired; mTLS is refused until the CA answers \(refused\)$/),
    ]);
    source.close();
  });

  it('asks for a certificate of its own name', async () => {
    const clock = new FakeClock();
    const good = authority(clock);
    const asked: string[] = [];
    const source = identity(clock, (csr, ttl) => {
      asked.push(...fromPem(csr, 'CERTIFICATE REQUEST').map((der) => Buffer.from(der).toString('latin1')));
      return good(csr, ttl);
    });
    await source.ready();
    expect(asked).toEqual([expect.stringContaining('spiffe://cluster.local/ns/default/sa/web')]);
    source.close();
  });

  it('asks no more once it is closed, also when the CA answers later', async () => {
    const clock = new FakeClock();
    let asked = 0;
    let answer: (error: Error) => void = () => {};
    const source = identity(clock, () => {
      asked++;
      return new Promise((_resolve, reject) => {
        answer = reject;
      });
    });
    source.close();
    answer(new Error('late'));
    await clock.advance(DAY);
    expect(asked).toBe(1);
  });

  it('is silent once it is closed, and tells no one who has turned away', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock));
    await source.ready();
    let told = 0;
    const cancel = source.onRotate(() => void told++);
    cancel();
    await source.rotateNow();
    expect(told).toBe(0);
    source.close();
    const { generation } = source.current()!;
    await clock.advance(DAY / 2 + 60_000);
    expect(source.current()!.generation).toBe(generation);
  });
});

describe('new roots of the mesh', () => {
  const rootOf = (organization: string): string =>
    createSelfSignedRoot({ organization, notBeforeMs: 0, notAfterMs: Date.UTC(2049, 0) }).certificatePem;

  it('are believed at once under the same certificate, and one of the CA as it is now follows within five seconds', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock));
    const before = await source.ready();
    const bundle = rootOf('new') + before.trustBundlePem;
    const seen: (readonly [number, boolean])[] = [];
    source.onRotate((next) => void seen.push([next.generation, next.serialNumber === before.serialNumber]));
    source.trust(bundle);
    expect(source.current()).toMatchObject({ trustBundlePem: bundle, serialNumber: before.serialNumber, generation: 2 });
    expect(source.current()!.privateKeyPem).toBe(before.privateKeyPem);
    expect(Object.keys(source.current()!)).not.toContain('privateKeyPem');
    await clock.advance(2499);
    expect(seen).toEqual([[2, true]]);
    await clock.advance(1);
    expect(seen).toEqual([
      [2, true],
      [3, false],
    ]);
    await clock.advance(DAY / 2 - 1000);
    expect(seen).toHaveLength(2); // The timer of the first certificate is gone.
    source.close();
  });

  it.each([
    ['the first certificate', false],
    ['the next one', true],
  ])('that come while the CA is asked for %s are not lost to those of its answer', async (_what, has) => {
    const clock = new FakeClock();
    const good = authority(clock);
    let asked = 0;
    const source = identity(clock, (csr, ttl) => {
      asked++;
      return good(csr, ttl);
    });
    if (has) await source.ready();
    if (has) await settle();
    const rotation = source.rotateNow();
    const bundle = rootOf('new');
    source.trust(bundle);
    const next = await rotation;
    expect(next.trustBundlePem).toBe(bundle);
    expect(source.current()).toBe(next);
    await clock.advance(2499);
    expect(source.current()).toBe(next);
    await clock.advance(1);
    expect(source.current()!.trustBundlePem).not.toBe(bundle); // The CA has been asked again, and says what it believes now.
    await clock.advance(DAY / 4);
    expect(asked).toBe(has ? 3 : 2); // And no more often: the timers of the earlier ones are gone.
    source.close();
  });

  it('that come while the CA is asked, and are those of its answer, are no reason to ask again', async () => {
    const clock = new FakeClock();
    const good = authority(clock);
    let asked = 0;
    let roots = '';
    const source: Identity = identity(clock, async (csr, ttl) => {
      asked++;
      const chain = await good(csr, ttl);
      roots = chain.at(-1)!;
      source.trust(roots);
      return chain;
    });
    expect((await source.ready()).trustBundlePem).toBe(roots);
    await clock.advance(DAY / 4);
    expect(asked).toBe(1);
    source.close();
  });

  it('that are known already do not stand in the way of those of the answer', async () => {
    const clock = new FakeClock();
    const first = authority(clock);
    const second = authority(clock);
    let sign = first;
    const source = identity(clock, (csr, ttl) => sign(csr, ttl));
    const { trustBundlePem } = await source.ready();
    sign = second;
    await settle();
    const rotation = source.rotateNow();
    source.trust(trustBundlePem);
    expect((await rotation).trustBundlePem).not.toBe(trustBundlePem);
    source.close();
  });

  it('in another order are others: the one that signs comes first; the same ones in other words are none', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock));
    const { trustBundlePem } = await source.ready();
    const other = rootOf('other');
    source.trust(`# mine\n${trustBundlePem}\n`);
    expect(source.current()!.generation).toBe(1);
    source.trust(trustBundlePem + other);
    source.trust(other + trustBundlePem);
    expect(source.current()!.generation).toBe(3);
    source.close();
  });

  it('that are none change nothing', async () => {
    const clock = new FakeClock();
    const source = identity(clock, authority(clock));
    expect(() => source.trust('before there is a certificate')).toThrow('the bundle of roots holds no certificate in PEM');
    const svid = await source.ready();
    expect(() => source.trust('nothing')).toThrow('the bundle of roots holds no certificate in PEM');
    expect(source.current()).toBe(svid);
    source.close();
    source.trust(rootOf('late'));
    expect(source.current()).toBe(svid);
  });
});
