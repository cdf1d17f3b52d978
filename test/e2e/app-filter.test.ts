import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { appFilter, localReply, type MeshFilter } from '@ripstop/node';
import { describe, expect, it, vi } from 'vitest';
import { FolderMeshes, webAt } from './folder-meshes.ts';

const RBAC = 'envoy.filters.http.rbac';
const meshYaml = (port: number): string => `${webAt(port)}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-admin }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }
`;

describe("filters of the app's own", () => {
  const scene = new FolderMeshes();

  /** A service with these filters, and a caller with those. */
  async function serve(served: readonly MeshFilter[], calling: readonly MeshFilter[] = []): Promise<(path: string) => Promise<string>> {
    const dir = scene.folder(meshYaml(1));
    const web = scene.member(dir, { service: 'web', filters: served });
    const { port } = await web.listen((request, response) => response.end(`served ${request.headers['x-added'] ?? ''}`), 9080, {
      bindPort: 0,
    });
    writeFileSync(join(dir, 'all.yaml'), meshYaml(port));
    const caller = scene.member(dir, { service: 'caller', filters: calling });
    await caller.ready();
    const call = async (path: string): Promise<string> => {
      const response = await caller.fetch(`http://web:9080${path}`);
      return `${response.status} ${(await response.text()).trim()} ${response.headers.get('x-seen') ?? ''}`.trim();
    };
    await vi.waitFor(async () => expect(await call('/admin')).toMatch(/^(403|418)/), { timeout: 5000 });
    return call;
  }

  it('stand before or behind authorization, as they ask, and last when they do not', async () => {
    const seen: string[] = [];
    const note = (name: string, place: object) =>
      appFilter({
        name,
        directions: ['inbound'],
        ...place,
        onRequest: (x) => {
          seen.push(`${name} ${x.request.path}`);
          return undefined;
        },
      });
    const call = await serve([
      note('last', {}),
      note('after', { after: RBAC }),
      note('first', { before: RBAC }),
      note('unplaced', { after: 'nobody' }),
    ]);
    seen.length = 0;
    expect(await call('/x')).toBe('200 served');
    expect(await call('/admin')).toBe('403 RBAC: access denied');
    expect(seen).toEqual(['first /x', 'after /x', 'last /x', 'unplaced /x', 'first /admin']);
  });

  it('answer in the place of the app, at once or after a while, and see every response and its end', async () => {
    const ends: number[] = [];
    const call = await serve([
      appFilter({
        name: 'teapot',
        directions: ['inbound'],
        onRequest: async (x) =>
          x.request.path === '/tea' ? localReply({ status: 418, details: 'teapot', body: 'short and stout' }) : undefined,
        onResponse: (_x, head) => head.setHeader('x-seen', 'yes'),
        onEnd: (_x, { status }) => void ends.push(status),
      }),
    ]);
    ends.length = 0;
    expect(await call('/tea')).toBe('418 short and stout yes');
    expect(await call('/x')).toBe('200 served yes');
    await vi.waitFor(() => expect(ends).toEqual([418, 200]));
  });

  it('act on requests that are made, and on no others, when they are outbound', async () => {
    const adding = appFilter({
      name: 'adding',
      directions: ['outbound'],
      onRequest: (x) => {
        x.request.setHeader('x-added', 'by the caller');
        return undefined;
      },
    });
    expect(await (await serve([], [adding]))('/x')).toBe('200 served by the caller');
    expect(await (await serve([adding]))('/x')).toBe('200 served');
  });

  it('refuse the request when they throw', async () => {
    const broken = appFilter({
      name: 'broken',
      directions: ['inbound'],
      before: RBAC,
      onRequest: (x) => {
        if (x.request.path === '/x') throw new Error('a bug');
        return undefined;
      },
    });
    expect(await (await serve([broken]))('/x')).toBe('500 a filter of the mesh failed');
  });

  it('say so when they name two places', () => {
    expect(() => appFilter({ name: 'both', before: RBAC, after: RBAC })).toThrow('filter both: give before or after, not both');
  });
});
