import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DownstreamTls } from '@ripstop/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from './testing/fake-clock.ts';
import { MESH_TLS } from './testing/server-double.ts';
import { type Leaf, TestAuthority } from './testing/test-authority.ts';
import { TlsMaterials } from './tls-material.ts';

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
    });
  });
});
