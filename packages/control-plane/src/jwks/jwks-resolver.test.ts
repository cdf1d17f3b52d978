import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { SavedEntries } from '../state/saved-entries.ts';
import { JwksResolver } from './jwks-resolver.ts';
import type { JwksSource } from './jwks-source.ts';
import { type FetchedJwks, savedJwks } from './saved-jwks.ts';
import { UNKNOWN_KEYS } from './unknown-keys.ts';

const DAY = 24 * 3_600_000;
const URI = 'https://issuer.test/keys?secret=1';
const BY_URI: JwksSource = { key: URI, issuer: 'issuer', uri: URI, timeoutMs: 5_000 };
const key = (): object => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
const jwks = (...keys: readonly object[]): string => JSON.stringify({ keys });

/** An issuer, a clock and a resolver that remembers what it said. */
class Lab {
  readonly pages = new Map<string, string | Error>();
  readonly asked: [url: string, timeoutMs: number][] = [];
  readonly problems: string[] = [];
  readonly timers: { run: () => void; delayMs: number; cancelled: boolean }[] = [];
  changes = 0;
  nowMs = 0;
  readonly resolver: JwksResolver;

  constructor(saved?: SavedEntries<FetchedJwks>) {
    this.resolver = new JwksResolver({
      get: async (url, timeoutMs) => {
        this.asked.push([url, timeoutMs]);
        const page = this.pages.get(url) ?? new Error('status 404');
        if (page instanceof Error) throw page;
        return page;
      },
      scheduler: {
        setTimer: (run, delayMs) => {
          const timer = { run, delayMs, cancelled: false };
          this.timers.push(timer);
          return { cancel: () => Object.assign(timer, { cancelled: true }) };
        },
      },
      now: () => this.nowMs,
      onChange: () => this.changes++,
      onProblem: (message) => this.problems.push(message),
      saved,
    });
  }

  want(...sources: JwksSource[]): Promise<void> | undefined {
    return this.resolver.want(new Map(sources.map((source) => [source.key, source])));
  }

  /** Runs the timer that is due next, and answers its delay. */
  async tick(): Promise<number> {
    const timer = this.timers.shift()!;
    this.nowMs += timer.delayMs;
    if (!timer.cancelled) timer.run();
    await new Promise((resolve) => setImmediate(resolve));
    return timer.delayMs;
  }

  get keys(): unknown[] | undefined {
    const text = this.resolver.current.get(URI);
    return text === undefined ? undefined : (JSON.parse(text) as { keys: unknown[] }).keys;
  }
}

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});
function stateDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-jwks-'));
  dirs.push(dir);
  return dir;
}

describe('keys of a token issuer', () => {
  it('are fetched, public parts only, and whoever asked first waits for them', async () => {
    const lab = new Lab();
    const good = key();
    lab.pages.set(URI, jwks({ ...good, kid: 'a', d: 'private', x5u: 'http://evil' }, { kty: 'oct', k: 'c2VjcmV0' }, { kty: 'RSA' }));
    await lab.want(BY_URI);
    expect(lab.keys).toEqual([{ kty: 'EC', kid: 'a', crv: 'P-256', ...pick(good, 'x', 'y') }]);
    expect([lab.changes, lab.problems, lab.want(BY_URI)]).toEqual([0, [], undefined]);
    expect([lab.asked, lab.timers.length]).toEqual([[[URI, 5_000]], 1]);
  });

  it('are waited for by everybody who wants them before they are here, and asked for once', async () => {
    const lab = new Lab();
    lab.pages.set(URI, jwks(key()));
    const [first, second] = [lab.want(BY_URI), lab.want(BY_URI)];
    expect([first, second]).toEqual([expect.any(Promise), expect.any(Promise)]);
    await Promise.all([first, second]);
    expect([lab.asked.length, lab.changes]).toEqual([1, 0]);
    expect(lab.want(BY_URI, { ...BY_URI, key: 'other' })).toEqual(expect.any(Promise));
    expect(lab.asked).toHaveLength(2);
  });

  it('that have failed are waited for by nobody who comes after', async () => {
    const lab = new Lab();
    await lab.want(BY_URI);
    expect(lab.want(BY_URI)).toBeUndefined();
  });

  it('that come when nobody wants them any more are left alone', async () => {
    const dir = stateDir();
    const lab = new Lab(savedJwks(dir));
    lab.pages.set(URI, jwks(key()));
    const wanted = lab.want(BY_URI);
    expect(lab.want()).toBeUndefined();
    await wanted;
    expect([lab.resolver.current.size, lab.timers, lab.changes, savedJwks(dir).load().size]).toEqual([0, [], 0, 0]);
  });

  it('are asked for no more once the resolver is closed', async () => {
    const lab = new Lab();
    lab.pages.set(URI, jwks(key()));
    await lab.want(BY_URI);
    const other = lab.want(BY_URI, { ...BY_URI, key: 'other' });
    lab.resolver.close();
    await other;
    expect([lab.resolver.current.size, lab.timers.map(({ cancelled }) => cancelled)]).toEqual([0, [true]]);
  });

  it('are fetched again, and a change is told', async () => {
    const lab = new Lab();
    lab.pages.set(URI, jwks(key()));
    await lab.want(BY_URI);
    expect(await lab.tick()).toBe(20 * 60_000);
    expect(lab.changes).toBe(0);
    lab.pages.set(URI, jwks(key(), key()));
    await lab.tick();
    expect([lab.changes, lab.keys?.length]).toEqual([1, 2]);
  });

  it('are found where the issuer’s OpenID configuration says', async () => {
    const lab = new Lab();
    lab.pages.set('https://issuer.test/.well-known/openid-configuration', JSON.stringify({ jwks_uri: URI }));
    lab.pages.set(URI, jwks(key()));
    const source = { key: 'discover https://issuer.test/', issuer: 'https://issuer.test/', uri: undefined, timeoutMs: 1 };
    await lab.want(source);
    expect(lab.resolver.current.has(source.key)).toBe(true);
    expect(lab.asked.map(([, timeoutMs]) => timeoutMs)).toEqual([1, 1]);
  });

  it('that cannot be fetched are tried again, more and more slowly; the reason is told once, without the query', async () => {
    const lab = new Lab();
    await lab.want(BY_URI);
    const delays = [];
    for (let tries = 0; tries < 8; tries++) delays.push(await lab.tick());
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(lab.problems).toEqual([
      'keys of token issuer issuer (https://issuer.test/keys): status 404; requests with its tokens are refused until they are here',
    ]);
    lab.pages.set(URI, jwks(key()));
    await lab.tick();
    expect([lab.changes, lab.problems.at(-1)]).toEqual([1, 'keys of token issuer issuer (https://issuer.test/keys) are here again']);
    expect(await lab.tick()).toBe(20 * 60_000);
    expect(lab.problems).toHaveLength(2);
    lab.pages.delete(URI);
    expect([await lab.tick(), await lab.tick()]).toEqual([20 * 60_000, 1_000]);
    expect(lab.problems.slice(2)).toEqual([expect.stringContaining('status 404; the last good ones stay in force')]);
  });

  it.each([
    ['https://user:secret@issuer.test/keys', 'https://issuer.test/keys'],
    ['https://[?secret', 'no URL'],
    [undefined, 'OpenID configuration of https://issuer.test'],
  ])('are told by their place, without what may be secret: %s', async (uri, place) => {
    const lab = new Lab();
    await lab.want({ ...BY_URI, issuer: 'https://issuer.test', uri });
    expect(lab.problems[0]).toContain(`keys of token issuer https://issuer.test (${place}): `);
  });

  it.each([
    ['an issuer that is no URL', 'issuer', '', 'the issuer is no URL where an OpenID configuration could be: give jwksUri or jwks'],
    ['no jwks_uri', 'https://i.test', '{}', 'https://i.test/.well-known/openid-configuration names no jwks_uri'],
    ['several of them', 'https://i.test', '{"jwks_uri":["https://issuer.test/keys"]}', 'names no jwks_uri'],
    ['a jwks_uri that is no text', 'https://i.test', '{"jwks_uri":5}', 'names no jwks_uri'],
    ['a jwks_uri that is no URL', 'https://i.test', '{"jwks_uri":"/keys"}', 'names no jwks_uri'],
  ])('are not found with %s, and it is told', async (_what, issuer, page, why) => {
    const lab = new Lab();
    lab.pages.set('https://i.test/.well-known/openid-configuration', page);
    await lab.want({ ...BY_URI, issuer, uri: undefined });
    expect(lab.problems[0]).toContain(`${why}; requests with its tokens are refused`);
    expect(lab.resolver.current.size).toBe(0);
  });

  it.each([
    ['is away', new Error('ECONNREFUSED')],
    ['answers nonsense', '<html>'],
    ['has no keys any more', '{"keys":[]}'],
    ['has too many', jwks(...Array.from({ length: 101 }, () => ({})))],
  ])('stay in force for a week when the issuer %s', async (_what, page) => {
    const lab = new Lab();
    lab.pages.set(URI, jwks(key()));
    await lab.want(BY_URI);
    lab.pages.set(URI, page);
    await lab.tick();
    expect(lab.keys).toHaveLength(1);
    expect(lab.problems[0]).toContain('the last good ones stay in force');
    expect(lab.changes).toBe(0);
    lab.nowMs = 7 * DAY - lab.timers[0]!.delayMs - 1;
    await lab.tick();
    expect([lab.nowMs, lab.keys?.length, lab.changes]).toEqual([7 * DAY - 1, 1, 0]);
    lab.nowMs = 7 * DAY - lab.timers[0]!.delayMs;
    await lab.tick();
    expect([lab.keys, lab.changes]).toEqual([undefined, 1]);
  });

  it('are forgotten with the last document that names them', async () => {
    const lab = new Lab();
    lab.pages.set(URI, jwks(key()));
    await lab.want(BY_URI);
    lab.want();
    expect([lab.resolver.current.size, lab.timers[0]?.cancelled]).toEqual([0, true]);
  });

  it('survive a restart while the issuer is away', async () => {
    const saved = savedJwks(stateDir());
    const before = new Lab(saved);
    before.pages.set(URI, jwks(key()));
    await before.want(BY_URI);
    const after = new Lab(saved);
    expect([after.want(BY_URI), after.keys?.length]).toEqual([undefined, 1]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(after.problems[0]).toContain('the last good ones stay in force');
    after.pages.set(URI, jwks(key(), key()));
    await after.tick();
    expect([after.keys?.length, after.changes]).toEqual([2, 1]);
    const muchLater = new Lab(saved);
    muchLater.nowMs = 8 * DAY;
    await muchLater.want(BY_URI);
    expect(muchLater.keys).toBeUndefined();
  });

  it('that are damaged on disk are told and fetched anew', async () => {
    const dir = stateDir();
    for (const damaged of ['[["a",{}]]', '[["a",null]]', '[["a",{"jwks":"{}"}]]', '[["a",{"fetchedAt":1}]]']) {
      writeFileSync(join(dir, 'jwks.json'), damaged);
      expect(new Lab(savedJwks(dir)).problems, damaged).toEqual([expect.stringMatching(/not taken over: .*does not hold key sets/)]);
    }
    const lab = new Lab(savedJwks(dir));
    lab.pages.set(URI, jwks(key()));
    await lab.want(BY_URI);
    expect([lab.keys?.length, lab.problems]).toEqual([1, [expect.stringContaining('does not hold key sets')]]);
    expect(readFileSync(join(dir, 'jwks.json'), 'utf8')).toContain('"kty\\":\\"EC\\"');
  });

  it('that cannot be saved are in force all the same, and it is told', async () => {
    const lab = new Lab(savedJwks(join(stateDir(), 'missing')));
    lab.pages.set(URI, jwks(key()));
    await lab.want(BY_URI);
    expect([lab.keys?.length, lab.problems]).toEqual([
      1,
      [expect.stringMatching(/^token issuers' keys are not saved for a restart: ENOENT/)],
    ]);
  });

  it('that are not known are a valid point whose private key nobody has', () => {
    const [unknown] = (JSON.parse(UNKNOWN_KEYS) as { keys: Record<string, string>[] }).keys;
    expect(createPublicKey({ key: unknown!, format: 'jwk' }).asymmetricKeyType).toBe('ec');
    expect(unknown).toEqual({
      kty: 'EC',
      crv: 'P-256',
      alg: 'ES256',
      kid: 'not-fetched',
      x: createHash('sha256').update('ripstop: the keys of this issuer are not known yet 2').digest('base64url'),
      y: 'CER8RLWs1ebgP2zGpOh_p8ZMC2E3Z2Q9P2zu0iSXU5w',
    });
  });
});

function pick(object: object, ...names: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => names.includes(name)));
}
