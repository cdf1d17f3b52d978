import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, type ControlPlaneEvent, createControlPlane } from '@ripstop/control-plane';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMesh, type Mesh } from './mesh.ts';

describe('a workload proves who it is', () => {
  const meshes: Mesh[] = [];
  let dir: string;
  let plane: ControlPlane;
  let events: ControlPlaneEvent[];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-attest-'));
    events = [];
    plane = createControlPlane({
      source: dir,
      stateDir: join(dir, 'state'),
      xds: '',
      xdsTls: '127.0.0.1:0',
      http: '',
      onEvent: (event) => void events.push(event),
    });
    await plane.start();
  });
  afterEach(async () => {
    await Promise.all(meshes.splice(0).map((mesh) => mesh.close({ drainMs: 0 })));
    await plane.close();
    rmSync(dir, { recursive: true });
  });

  function join_(token: string, service = 'web'): Mesh {
    const mesh = createMesh({
      service,
      xds: `grpcs://${plane.addresses.xdsTls}`,
      rootCertificatePem: plane.ca.rootCertificatePem,
      token,
      admin: 'off',
      certificateTtlSeconds: 3600,
    });
    meshes.push(mesh);
    return mesh;
  }
  const account = { namespace: 'default', serviceAccount: 'web' };
  const issuedBy = (): string[] => events.flatMap((event) => (event.type === 'issued' ? [event.by] : []));

  it('by a single-use token once, and by its certificate from then on', async () => {
    const token = plane.tokens.issue({ ...account, ttlSeconds: 600, singleUse: true });
    const mesh = join_(token);
    await mesh.ready();
    await mesh.rotateIdentity();
    expect(issuedBy()).toEqual(['join token', 'client certificate']);
    const thief = join_(token);
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
    const mesh = join_(plane.tokens.issue({ ...account, ttlSeconds: 1 }));
    await mesh.ready();
    await vi.waitFor(() => expect(() => plane.tokens.verify(plane.tokens.issue({ ...account, ttlSeconds: 0 }))).toThrow(/expired/));
    await vi.waitFor(
      async () => {
        await mesh.rotateIdentity();
        expect(issuedBy().at(-1)).toBe('client certificate');
      },
      { timeout: 4000, interval: 200 },
    );
  });

  it('to the issuance log, which holds no keys and no tokens', async () => {
    const token = plane.tokens.issue({ ...account, ttlSeconds: 600 });
    await join_(token).ready();
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
