import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMesh, type Mesh } from './index.ts';

let dir: string;
let mesh: Mesh;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ripstop-listen-'));
  writeFileSync(
    join(dir, 'mesh.yaml'),
    'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }\n',
  );
  mesh = createMesh({ service: 'web', config: `file:${dir}`, admin: 'off' });
});
afterEach(async () => {
  await mesh.close({ drainMs: 0 });
  rmSync(dir, { recursive: true });
});

describe('mesh.listen', () => {
  it('may be tried again after a port that was taken, and judges each request once', async () => {
    const taken = createTcpServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    let requests = 0;
    const app = createServer((_request, response) => {
      requests++;
      response.end('ok');
    });
    await expect(mesh.listen(app, 80, { bindPort: (taken.address() as AddressInfo).port })).rejects.toThrow('something else listens there');
    const { port } = await mesh.listen(app, 80, { bindPort: 0 });
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('ok');
    expect(requests).toBe(1);
    taken.close();
  });

  it('serves a port once, and a server as one port', async () => {
    const app = createServer();
    await mesh.listen(app, 80, { bindPort: 0 });
    await expect(mesh.listen(() => {}, 80, { bindPort: 0 })).rejects.toThrow('served already');
    await expect(mesh.listen(app, 81, { bindPort: 0 })).rejects.toThrow('behind a mesh already');
  });

  it('refuses a server of bytes, which no policy would protect', async () => {
    await expect(mesh.listen(createTcpServer() as never, 80, { bindPort: 0 })).rejects.toThrow(
      'takes a server of node:http, node:https or node:http2',
    );
  });

  it('refuses probes of a server that health checks cannot speak to, and of what is no path', async () => {
    await expect(mesh.listen(createHttp2Server(), 80, { bindPort: 0, probes: ['/healthz'] })).rejects.toMatchObject({
      code: 'RIPSTOP_BAD_PROBE',
      message: expect.stringContaining('health checks speak HTTP/1.1'),
    });
    await expect(mesh.listen(() => {}, 80, { bindPort: 0, probes: ['healthz'] })).rejects.toMatchObject({ code: 'RIPSTOP_BAD_PROBE' });
    expect((await mesh.listen(createHttp2Server(), 80, { bindPort: 0, probes: [] })).port).toBeGreaterThan(0);
  });

  it('opens nothing on a mesh that closes meanwhile', async () => {
    await mesh.ready();
    const listening = mesh.listen(() => {}, 80, { bindPort: 0 });
    const closed = mesh.close({ drainMs: 0 });
    await expect(listening).rejects.toThrow('closed');
    await closed;
  });
});
