import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DownstreamTls } from '@ripstop/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from './testing/fake-clock.ts';
import { MESH_TLS } from './testing/server-double.ts';
import { type Leaf, TestAuthority, TestIdentity } from './testing/test-authority.ts';
import { type TlsMaterial, TlsMaterials } from './tls-material.ts';

const ca = new TestAuthority();

describe('material of handshakes', () => {
  let dir: string;
  let files: DownstreamTls;
  let writes = 0;
  const clock = new FakeClock();
  const lines: string[] = [];
  const materials = new TlsMaterials(undefined, clock, (line) => lines.push(line));

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-material-'));
    files = {
      ...MESH_TLS,
      certificateName: `file-cert:${join(dir, 'tls.crt')}~${join(dir, 'tls.key')}`,
      validationName: `file-root:${join(dir, 'ca.crt')}`,
    };
    write('ca.crt', ca.certificatePem);
    lines.length = 0;
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  function write(name: string, text: string): void {
    writeFileSync(join(dir, name), text);
    utimesSync(join(dir, name), 1_000 + writes, 1_000 + ++writes);
  }

  function writePair({ cert, key }: Leaf): void {
    write('tls.crt', cert);
    write('tls.key', key);
  }

  function certificate(): string {
    const material = materials.of(files);
    return typeof material === 'string' ? material : material.keyPairs.map(({ certificateChainPem }) => certificateChainPem).join();
  }

  it('comes from files, is the same object while they are, and follows them', () => {
    const [first, second] = [ca.issue({}), ca.issue({})];
    writePair(first);
    const material = materials.of(files);
    expect(material).toMatchObject({ trustBundlePem: ca.certificatePem, shownUriSan: '' });
    clock.advance(1_000);
    expect(materials.of(files)).toBe(material);
    writePair(second);
    expect(certificate()).toBe(first.cert);
    clock.advance(1_000);
    expect(certificate()).toBe(second.cert);
  });

  it('stays as it was while a pair is half written, and says so', () => {
    const [first, second] = [ca.issue({}), ca.issue({})];
    writePair(first);
    expect(certificate()).toBe(first.cert);
    write('tls.crt', second.cert);
    clock.advance(1_000);
    expect(certificate()).toBe(first.cert);
    expect(lines.join()).toMatch(/tls\.key is not the key of .*tls\.crt; what was read before stays/);
    write('tls.key', second.key);
    clock.advance(1_000);
    expect(certificate()).toBe(second.cert);
  });

  it.each([
    ['a file is missing', () => {}, /certificate files cannot be used: ENOENT.*tls\.crt/],
    ['a key is none', () => writePair({ cert: ca.issue({}).cert, key: 'hidden-value' }), /tls\.key is not PEM/],
  ])('is none when %s', (_what, prepare, reason) => {
    prepare();
    expect(certificate()).toMatch(reason);
    expect(certificate()).not.toContain('hidden-value');
  });

  it('is none without the secret that the chain names, with the reason', () => {
    const secrets = { keyPairs: [], trustBundlePem: '', revokedPem: '', missing: 'not here' };
    expect(materials.of({ ...MESH_TLS, certificateName: 'kubernetes://a', validationName: '', secrets })).toBe('not here');
  });

  it('is none without an identity where the mesh is to be shown', () => {
    expect(materials.of(MESH_TLS)).toMatch(/this workload has no certificate/);
  });

  it('says by which name this side was seen', () => {
    const { cert, key } = ca.issue({ uris: ['spiffe://outside/edge'] });
    const secrets = { keyPairs: [{ certificateChainPem: cert, privateKeyPem: key }], trustBundlePem: '', revokedPem: '', missing: '' };
    expect(materials.of({ ...MESH_TLS, certificateName: 'kubernetes://a', validationName: '', secrets })).toMatchObject({
      shownUriSan: 'spiffe://outside/edge',
      shownName: 'spiffe://outside/edge',
    });
  });

  it('stays the same object while its secrets came with the chain, whatever time it is', () => {
    const { cert, key } = ca.issue({});
    const secrets = {
      keyPairs: [{ certificateChainPem: cert, privateKeyPem: key }],
      trustBundlePem: 'roots',
      revokedPem: 'gone',
      missing: '',
    };
    const tls = { ...MESH_TLS, certificateName: 'kubernetes://a', validationName: 'kubernetes://a-cacert', secrets };
    const material = materials.of(tls);
    expect(material).toMatchObject({ trustBundlePem: 'roots', revokedPem: 'gone', shownUriSan: '' });
    clock.advance(10_000);
    expect(materials.of(tls)).toBe(material);
  });

  it('follows the file of roots alone', () => {
    writePair(ca.issue({}));
    expect(materials.of(files)).toMatchObject({ trustBundlePem: ca.certificatePem });
    write('ca.crt', 'others');
    clock.advance(1_000);
    expect(materials.of(files)).toMatchObject({ trustBundlePem: 'others' });
  });

  it('is looked at once a second, and again a second after a look that failed', () => {
    const [first, second] = [ca.issue({}), ca.issue({})];
    writePair(first);
    expect(certificate()).toBe(first.cert);
    write('tls.key', 'no key');
    clock.advance(999);
    expect(certificate()).toBe(first.cert);
    expect(lines).toEqual([]);
    clock.advance(1);
    expect(certificate()).toBe(first.cert);
    clock.advance(999);
    expect(certificate()).toBe(first.cert);
    expect(lines).toHaveLength(1);
    writePair(second);
    clock.advance(1);
    expect(certificate()).toBe(second.cert);
  });

  it('is not read again when its files have not changed', () => {
    writePair(ca.issue({}));
    const material = materials.of(files);
    for (let second = 0; second < 3; second++) {
      clock.advance(1_000);
      expect(materials.of(files)).toBe(material);
    }
  });

  it('is none for a name that nobody knows', () => {
    expect(materials.of({ ...MESH_TLS, certificateName: 'x', validationName: '' })).toMatch(/certificate x is not supported/);
    expect(materials.of({ ...MESH_TLS, certificateName: 'file-cert:/a', validationName: '' })).toMatch(
      /certificate file-cert:\/a is not supported/,
    );
    expect(materials.of({ ...MESH_TLS, certificateName: 'xfile-cert:/a~/b', validationName: '' })).toMatch(/is not supported/);
  });

  it('has several certificates, in the order of their names, the own one among them', () => {
    const [first, second] = [ca.issue({}), ca.issue({})];
    writePair(first);
    const identity = new TestIdentity(ca, 'spiffe://cluster.local/ns/a/sa/b');
    const secrets = {
      keyPairs: [{ certificateChainPem: second.cert, privateKeyPem: second.key }],
      trustBundlePem: '',
      revokedPem: '',
      missing: '',
    };
    const all = new TlsMaterials(identity, clock, () => {}).of({ ...files, otherCertificateNames: ['default'], secrets }) as TlsMaterial;
    expect(all.keyPairs.map(({ certificateChainPem }) => certificateChainPem)).toEqual([
      first.cert,
      identity.current()!.certificateChainPem,
      second.cert,
    ]);
  });
});

describe('material of the mesh', () => {
  const spiffeId = 'spiffe://cluster.local/ns/a/sa/b';

  it('follows the identity at once, with its roots, and is shown under its own name', () => {
    const identity = new TestIdentity(ca, spiffeId);
    const materials = new TlsMaterials(identity, new FakeClock(), () => {});
    const before = materials.of(MESH_TLS) as TlsMaterial;
    expect(before).toMatchObject({ trustBundlePem: ca.certificatePem, shownUriSan: undefined, keyPairs: [identity.current()] });
    expect(materials.of(MESH_TLS)).toBe(before);
    identity.rotate(ca, spiffeId, `${ca.certificatePem}${new TestAuthority().certificatePem}`);
    const after = materials.of(MESH_TLS) as TlsMaterial;
    expect(after.keyPairs).toEqual([identity.current()]);
    expect(after.trustBundlePem).not.toBe(before.trustBundlePem);
  });

  it('is none, not that of before, when files are gone at the moment of a rotation', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-material-'));
    const { cert, key } = ca.issue({});
    writeFileSync(join(dir, 'c'), cert);
    writeFileSync(join(dir, 'k'), key);
    const tls = { ...MESH_TLS, certificateName: `file-cert:${join(dir, 'c')}~${join(dir, 'k')}` };
    const identity = new TestIdentity(ca, spiffeId);
    const materials = new TlsMaterials(identity, new FakeClock(), () => {});
    expect(materials.of(tls)).toMatchObject({ trustBundlePem: ca.certificatePem });
    rmSync(dir, { recursive: true });
    identity.rotate(ca, spiffeId);
    expect(materials.of(tls)).toMatch(/certificate files cannot be used: ENOENT/);
  });
});
