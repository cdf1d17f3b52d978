import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDocuments } from '@ripstop/istio-api';
import { createKeyPair, createSelfSignedRoot, issueCertificate } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { PushContext } from '../push/push-context.ts';
import type { SavedEntries } from '../state/saved-entries.ts';
import { FakeScheduler } from '../testing/fake-scheduler.ts';
import { savedBundles } from './saved-bundles.ts';
import { rootsOfBundle } from './spiffe-bundle.ts';
import { bundleUrls, SpiffeBundles } from './spiffe-bundles.ts';

const time = { notBeforeMs: Date.now() - 86_400_000, notAfterMs: Date.now() + 86_400_000 };
const first = createSelfSignedRoot({ organization: 'first', ...time });
const second = createSelfSignedRoot({ organization: 'second', ...time });
const [FIRST, SECOND] = [first.certificatePem, second.certificatePem].map((pem) => `${pem.trimEnd()}\n`) as [string, string];
const LEAF = issueCertificate(
  { certificatePem: first.certificatePem, privateKey: first.keyPair.privateKey },
  { publicKey: createKeyPair().publicKey, names: { dns: ['a.b'] }, isCa: false, ...time },
);

const der = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '');
const root = (pem: string): object => ({ use: 'x509-svid', kty: 'EC', x5c: [der(pem)] });
const bundle = (...keys: object[]): string => JSON.stringify({ spiffe_sequence: 1, keys });
const URL_ONE = 'https://one.example/bundle.json';

describe('a SPIFFE bundle', () => {
  it('has its roots for X.509-SVIDs, and keys that are none of them', () => {
    expect(rootsOfBundle(bundle(root(FIRST), { use: 'jwt-svid', kid: 'a' }, root(SECOND)))).toBe(FIRST + SECOND);
  });

  it.each([
    ['no JSON', '<html>', 'no JSON object'],
    ['no list', '{ "keys": {} }', 'no list'],
    ['no root', bundle({ use: 'jwt-svid' }), 'without a root'],
    ['several certificates in an entry', bundle({ use: 'x509-svid', x5c: [der(FIRST), der(SECOND)] }), 'keys[0]: an entry'],
    ['no certificate in an entry', bundle(root(FIRST), { use: 'x509-svid' }), 'keys[1]: an entry'],
    ['text that is no certificate', bundle({ use: 'x509-svid', x5c: ['AAAA'] }), 'cannot be read'],
    ['a certificate that is no CA', bundle(root(LEAF)), 'not that of a CA'],
  ])('that has %s is refused', (_what, text, message) => expect(() => rootsOfBundle(text)).toThrow(message));
});

/** Bundles behind a server that answers what it is told to; undefined = it cannot be reached. */
function fetching(saved?: SavedEntries<string>) {
  const scheduler = new FakeScheduler();
  const [asked, problems]: [string[], string[]] = [[], []];
  const patience = new Set<number>();
  let changes = 0;
  const server: { answer: string | undefined } = { answer: bundle(root(FIRST)) };
  const bundles = new SpiffeBundles({
    get: async (url, timeoutMs) => {
      asked.push(url);
      patience.add(timeoutMs);
      if (server.answer === undefined) throw new Error('connection refused');
      return server.answer;
    },
    scheduler,
    onChange: () => changes++,
    onProblem: (message) => problems.push(message),
    saved,
  });
  const later = async (ms: number): Promise<void> => {
    scheduler.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { bundles, server, scheduler, asked, patience, problems, later, changes: () => changes };
}

describe('the bundles of caCertificates', () => {
  it('are fetched once for who waits, again every 30 minutes, and no more when nobody wants them', async () => {
    const { bundles, server, asked, patience, later, changes } = fetching();
    await bundles.want(['one.example/bundle.json']);
    await later(30 * 60_000 - 1);
    expect([asked, [...patience]]).toEqual([[URL_ONE], [10_000]]);
    expect([...bundles.current]).toEqual([['one.example/bundle.json', FIRST]]);
    expect(changes()).toBe(0);
    server.answer = bundle(root(FIRST), root(SECOND));
    await later(1);
    expect([...bundles.current.values()]).toEqual([FIRST + SECOND]);
    expect(changes()).toBe(1);
    expect(bundles.want([])).toBeUndefined();
    await later(60 * 60_000);
    expect(asked).toHaveLength(2);
    expect(bundles.current.size).toBe(0);
  });

  it('are waited for by all who want them until they are here, and fetched once for them all', async () => {
    const { bundles, asked, scheduler } = fetching();
    const [first, second] = [bundles.want([URL_ONE]), bundles.want([URL_ONE])];
    expect([first, second]).toEqual([expect.any(Promise), expect.any(Promise)]);
    await Promise.all([first, second]);
    expect(bundles.want([URL_ONE])).toBeUndefined();
    await bundles.want([URL_ONE, 'two.example']);
    expect(bundles.want(['https://two.example', 'two.example'])).toEqual(expect.any(Promise));
    expect(asked).toEqual([URL_ONE, 'https://two.example', 'https://two.example']);
    expect([...bundles.current.keys()]).toEqual(['two.example']);
    expect(scheduler.waiting).toBe(1); // The second of its names is on its way.
  });

  it('are not waited for by those who come after they have failed', async () => {
    const { bundles, server } = fetching();
    server.answer = undefined;
    await bundles.want([URL_ONE]);
    expect(bundles.want([URL_ONE])).toBeUndefined();
  });

  it('that nobody wants any more when they come are left alone', async () => {
    const { bundles, asked, scheduler, later, changes } = fetching();
    const [wanted] = [bundles.want([URL_ONE]), bundles.want([])];
    await wanted;
    expect([asked.length, bundles.current.size, changes(), scheduler.waiting]).toEqual([1, 0, 0, 0]);
    await bundles.want([URL_ONE]);
    const other = bundles.want([URL_ONE, 'two.example']);
    bundles.close();
    await other;
    expect(scheduler.waiting).toBe(0);
    await later(60 * 60_000);
    expect([asked.length, bundles.current.size]).toEqual([3, 0]);
  });

  it('that are what they were are no news', async () => {
    const { bundles, asked, later, changes } = fetching();
    await bundles.want([URL_ONE]);
    await later(30 * 60_000);
    expect([asked.length, changes()]).toEqual([2, 0]);
  });

  it('are asked for again after 1 s, 2 s, 4 s and so on up to a minute, and after a success after 1 s again', async () => {
    const { bundles, server, asked, later } = fetching();
    server.answer = undefined;
    await bundles.want([URL_ONE]);
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      const before = asked.length;
      await later(seconds * 1000 - 1);
      expect(asked.length - before, `before ${seconds} s`).toBe(0);
      await later(1);
      expect(asked.length - before, `after ${seconds} s`).toBe(1);
    }
    server.answer = bundle(root(FIRST));
    await later(60_000);
    server.answer = undefined;
    await later(30 * 60_000);
    const before = asked.length;
    await later(1_000);
    expect(asked.length - before).toBe(1);
  });

  it('stay as they were while they cannot be had, which is told once, and asked for again soon', async () => {
    const { bundles, server, asked, problems, later } = fetching();
    await bundles.want([URL_ONE]);
    server.answer = undefined;
    await later(30 * 60_000);
    await later(1_000);
    await later(2_000);
    expect(asked).toHaveLength(4);
    expect([...bundles.current.values()]).toEqual([FIRST]);
    expect(problems).toEqual([`roots of caCertificates (${URL_ONE}): connection refused; the last good ones stay in force`]);
    server.answer = 'no bundle';
    await later(4_000);
    expect(problems[1]).toContain('no JSON object; the last good ones stay');
    server.answer = bundle(root(SECOND));
    await later(8_000);
    expect([...bundles.current.values()]).toEqual([SECOND]);
    expect(problems[2]).toBe(`the roots of ${URL_ONE} are here again`);
    await later(30 * 60_000);
    expect(problems).toHaveLength(3);
    server.answer = 'no bundle';
    await later(30 * 60_000);
    expect([problems.length, problems[3]]).toEqual([4, problems[1]]);
  });

  it.each([
    ['one.example/bundle.json?key=secret', 'https://one.example/bundle.json'],
    ['https://user:secret@one.example/b', 'https://one.example/b'],
    ['https://[/?key=secret', 'no URL'],
  ])('are told by their place, without what may be secret: %s', async (url, place) => {
    const { bundles, server, problems } = fetching();
    server.answer = undefined;
    await bundles.want([url]);
    expect(problems[0]).toContain(`roots of caCertificates (${place}): connection refused`);
  });

  it('that never came are missing, and those who waited go on', async () => {
    const { bundles, server, problems, later, changes } = fetching();
    server.answer = undefined;
    await bundles.want([URL_ONE]);
    expect(bundles.current.size).toBe(0);
    expect(problems[0]).toContain('callers whom they vouch for are refused');
    server.answer = bundle(root(FIRST));
    await later(1_000);
    expect(changes()).toBe(1);
  });

  it('are asked for by https alone', async () => {
    const { bundles, asked, problems } = fetching();
    await bundles.want(['http://one.example/bundle.json']);
    expect(asked).toEqual([]);
    expect(problems[0]).toContain('by https alone');
  });

  it('outlive a restart; a damaged file is told', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-bundles-'));
    await fetching(savedBundles(folder)).bundles.want([URL_ONE]);
    const after = fetching(savedBundles(folder));
    after.server.answer = undefined;
    await after.bundles.want([URL_ONE]);
    expect([...after.bundles.current.values()]).toEqual([FIRST]);
    for (const damaged of ['[["a", "b"]]', '[["a", 5]]']) {
      writeFileSync(join(folder, 'spiffe-bundles.json'), damaged);
      const { bundles, problems } = fetching(savedBundles(folder));
      expect(problems[0]).toMatch(/not taken over: .*spiffe-bundles\.json does not hold roots/);
      await bundles.want([URL_ONE]);
      expect(bundles.current.size).toBe(1);
    }
    rmSync(folder, { recursive: true });
  });

  it('of the last run are not waited for; that others have come is told', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-bundles-'));
    savedBundles(folder).save(new Map([[URL_ONE, SECOND]]));
    const { bundles, changes, later } = fetching(savedBundles(folder));
    expect(bundles.want([URL_ONE])).toBeUndefined();
    expect([...bundles.current.values()]).toEqual([SECOND]);
    await later(0);
    expect([[...bundles.current.values()], changes()]).toEqual([[FIRST], 1]);
    expect([...savedBundles(folder).load()]).toEqual([[URL_ONE, FIRST]]);
    rmSync(folder, { recursive: true });
  });

  it('that cannot be saved are in force all the same, and it is told', async () => {
    const { bundles, problems } = fetching(savedBundles(join(tmpdir(), 'ripstop-bundles-missing')));
    await bundles.want([URL_ONE]);
    expect([...bundles.current.values()]).toEqual([FIRST]);
    expect(problems).toEqual([expect.stringMatching(/^fetched roots are not saved for a restart: ENOENT/)]);
  });

  it('are trusted beside the roots of the mesh', () => {
    const mesh = { caCertificates: [{ spiffeBundleUrl: URL_ONE }, { pem: SECOND }] };
    const { objects, findings } = parseDocuments(JSON.stringify(mesh), { file: 'mesh.yaml' });
    expect(findings).toEqual([]);
    expect(bundleUrls(objects)).toEqual([URL_ONE]);
    const input = { objects, workloads: [], trustBundlePem: 'OWN\n' };
    expect(new PushContext({ ...input, bundles: new Map([[URL_ONE, FIRST]]) }).trustBundlePem).toBe(`OWN\n${SECOND}${FIRST}`);
    expect(new PushContext(input).trustBundlePem).toBe(`OWN\n${SECOND}`);
  });
});
