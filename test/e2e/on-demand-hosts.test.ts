import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeltaServer } from '../interop/mesh/delta-server.ts';
import { hostOf, onDemandConfig, serveHost } from '../interop/on-demand/config.ts';

/** Beside an Envoy: test/interop/on-demand-hosts.test.ts. */
describe('an app that calls hosts which its control plane gives on demand (VHDS)', () => {
  let back: Server;
  let server: DeltaServer;
  let mesh: Mesh;

  beforeAll(async () => {
    back = createServer((request, response) => response.end(request.headers.host));
    await new Promise<void>((resolve) => back.listen(0, '127.0.0.1', resolve));
    server = await DeltaServer.start(onDemandConfig(80, (back.address() as AddressInfo).port, '/dev/null'));
    mesh = createMesh({ service: 'web', namespace: 'default', admin: 'off', xds: `grpc://127.0.0.1:${server.port}` });
    await mesh.ready();
    server.asked.length = 0;
  });
  afterAll(async () => {
    await mesh.close();
    await server[Symbol.asyncDispose]();
    back.close();
  });

  it('gets each at its first call, after one question', async () => {
    serveHost(server, 'shop.test', hostOf('shop', ['shop.test']));
    const answers = await Promise.all([mesh.fetch('http://shop.test/'), mesh.fetch('http://shop.test/')]);
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(['shop.test', 'shop.test']);
    expect(server.asked.filter((name) => name !== '+*')).toEqual(['+table/shop.test']);
  });

  it('is told 404 of one that does not exist', async () => {
    expect((await mesh.fetch('http://nobody.test/')).status).toBe(404);
  });

  it('is told in an explanation what would be asked, and nothing is', async () => {
    server.asked.length = 0;
    const explanation = await mesh.explain({ method: 'GET', url: 'http://new.test/' });
    expect(String(explanation)).toContain('new.test would be asked for, and waited for (VHDS)');
    expect(server.asked).toEqual([]);
  });
});
