import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, type ControlPlaneEvent, createControlPlane, RootFiles } from '@ripstop/control-plane';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMesh, type Mesh } from './mesh.ts';

describe('a workload proves who it is', () => {
  const meshes: Mesh[] = [];
  let dir: string;
  let plane: ControlPlane;
  let events: ControlPlaneEvent[];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-attest-'));
    const heard: ControlPlaneEvent[] = [];
    events = heard;
    plane = createControlPlane({
      source: dir,
      stateDir: join(dir, 'state'),
      xds: '',
      xdsTls: '127.0.0.1:0',
      http: '',
      onEvent: (event) => void heard.push(event),
    });
    await plane.start();
  });
  afterEach(async () => {
    await Promise.all(meshes.splice(0).map((mesh) => mesh.close({ drainMs: 0 })));
    await plane.close();
    rmSync(dir, { recursive: true });
  });

  function common() {
    return {
      xds: `grpcs://${plane.addresses.xdsTls}`,
      rootCertificatePem: plane.ca.rootCertificatePem,
      admin: 'off',
      certificateTtlSeconds: 3600,
    };
  }
  function joinMesh(token: string): Mesh {
    const mesh = createMesh({ ...common(), service: 'web', token });
    meshes.push(mesh);
    return mesh;
  }
  const account = { namespace: 'default', serviceAccount: 'web' };
  const issuedBy = (): string[] => events.flatMap((event) => (event.type === 'issued' ? [event.by] : []));

  it('by a single-use token once, and by its certificate from then on', async () => {
    const token = plane.tokens.issue({ ...account, ttlSeconds: 600, singleUse: true });
    const mesh = joinMesh(token);
    await mesh.ready();
    await mesh.rotateIdentity();
    expect(issuedBy()).toEqual(['join token', 'client certificate']);
    const thief = joinMesh(token);
    await expect(thief.ready({ timeoutMs: 500 })).rejects.toThrow();
    await vi.waitFor(() =>
      expect(events).toContainEqual({
        type: 'problem',
        message: expect.stringMatching(/no certificate for .*: the join token was used before/),
      }),
    );
    expect(issuedBy()).toHaveLength(2);
  });

  it('by its certificate when the token has run out', async () => {
    const tokenFile = join(dir, 'token');
    const rotate = (ttlSeconds: number): void => writeFileSync(tokenFile, plane.tokens.issue({ ...account, ttlSeconds }));
    rotate(600);
    const mesh = createMesh({ ...common(), service: 'web', tokenFile });
    meshes.push(mesh);
    await mesh.ready();
    rotate(-60);
    expect(() => plane.tokens.verify(readFileSync(tokenFile, 'utf8'))).toThrow(/expired/);
    await mesh.rotateIdentity();
    expect(issuedBy()).toEqual(['join token', 'client certificate']);
  });

  it('anew when the root that it came with is gone: its stream ends', async () => {
    const mesh = joinMesh(plane.tokens.issue({ ...account, ttlSeconds: 600 }));
    await mesh.ready();
    const count = (type: string): number => events.filter((event) => event.type === type).length;
    await vi.waitFor(() => expect(count('connected')).toBe(1));
    const files = new RootFiles({ stateDir: join(dir, 'state'), trustDomain: 'cluster.local', now: Date.now });
    for (const step of ['begin', 'switch', 'finish'] as const) {
      files[step]();
      await vi.waitFor(() => expect(count('roots')).toBe(['begin', 'switch', 'finish'].indexOf(step) + 1), { timeout: 5_000 });
    }
    await vi.waitFor(() => expect([count('disconnected'), count('connected')]).toEqual([1, 2]), { timeout: 10_000 });
    expect(plane.syncState()).toHaveLength(1);
  });

  it('to the issuance log, which holds no keys and no tokens', async () => {
    const token = plane.tokens.issue({ ...account, ttlSeconds: 600 });
    await joinMesh(token).ready();
    const text = readFileSync(join(dir, 'state/issued.jsonl'), 'utf8');
    const [entry] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(entry).toMatchObject({
      spiffeId: 'spiffe://cluster.local/ns/default/sa/web',
      by: 'join token',
      from: expect.stringMatching(/^127\.0\.0\.1:/),
    });
    expect(text).not.toContain(token);
    expect(text).not.toContain('BEGIN');
  });
});
