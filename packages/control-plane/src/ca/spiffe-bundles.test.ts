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
  let changes = 0;
  const server: { answer: string | undefined } = { answer: bundle(root(FIRST)) };
  const bundles = new SpiffeBundles({
    get: async (url) => {
      asked.push(url);
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
  return { bundles, server, asked, problems, later, changes: () => changes };
}

describe('the bundles of caCertificates', () => {
  it('are fetched once for who waits, again every 30 minutes, and no more when nobody wants them', async () => {
    const { bundles, server, asked, later, changes } = fetching();
    await bundles.want(['one.example/bundle.json']);
    expect(asked).toEqual([URL_ONE]);
    expect([...bundles.current]).toEqual([['one.example/bundle.json', FIRST]]);
    expect(changes()).toBe(0);
    server.answer = bundle(root(FIRST), root(SECOND));
    await later(30 * 60_000);
    expect([...bundles.current.values()]).toEqual([FIRST + SECOND]);
    expect(changes()).toBe(1);
    bundles.want([]);
    await later(60 * 60_000);
    expect(asked).toHaveLength(2);
    expect(bundles.current.size).toBe(0);
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
    writeFileSync(join(folder, 'spiffe-bundles.json'), '[["a", "b"]]');
    expect(fetching(savedBundles(folder)).problems[0]).toContain('does not hold roots');
    rmSync(folder, { recursive: true });
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
