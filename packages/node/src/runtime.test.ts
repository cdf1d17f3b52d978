import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createControlPlane } from '@ripstop/control-plane';
import { describe, expect, it } from 'vitest';
import { createMesh } from './mesh.ts';

describe('a mesh that does not become ready', () => {
  it('says that nobody answers at the address', async () => {
    const mesh = createMesh({ service: 'a', xds: 'grpc://127.0.0.1:1', admin: 'off' });
    await expect(mesh.ready({ timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'RIPSTOP_NOT_READY',
      message: expect.stringMatching(/^no configuration from 127\.0\.0\.1:1 within 1000 ms: UNAVAILABLE: .*ECONNREFUSED/),
    });
    await mesh.close();
  });

  it('says why the control plane refuses it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-node-'));
    const plane = createControlPlane({ source: dir, xds: '', xdsTls: '127.0.0.1:0', http: '' });
    await plane.start();
    const mesh = createMesh({
      service: 'web',
      xds: `grpcs://${plane.addresses.xdsTls}`,
      rootCertificatePem: plane.ca.rootCertificatePem,
      token: plane.tokens.issue({ namespace: 'default', serviceAccount: 'somebody-else', ttlSeconds: 60 }),
      admin: 'off',
    });
    await expect(mesh.ready({ timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'RIPSTOP_NOT_READY',
      message: expect.stringMatching(/: PERMISSION_DENIED: .*somebody-else/),
    });
    await mesh.close();
    await plane.close();
    rmSync(dir, { recursive: true });
  });
});
