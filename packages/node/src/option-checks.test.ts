import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createMesh, type Mesh } from './index.ts';
import type { CreateMeshOptions, ListenOptions } from './mesh.ts';

let mesh: Mesh | undefined;
afterEach(async () => {
  await mesh?.close({ drainMs: 0 });
  mesh = undefined;
});

describe('options in JavaScript', () => {
  it.each<[object, RegExp]>([
    [{ servce: 'web' }, /createMesh has no option "servce"; there are service, version,/],
    [{ service: 5 }, /createMesh: service is 5; give a string/],
    [{ service: 'a/b c' }, /RIPSTOP_SERVICE=a\/b c: give a name of letters/],
    [{ namespace: 'a~b' }, /RIPSTOP_NAMESPACE=a~b/],
    [{ trustDomain: 'a b' }, /RIPSTOP_TRUST_DOMAIN=a b/],
    [{ bootTimeoutMs: Number.NaN }, /bootTimeoutMs is NaN; give a number/],
    [{ filters: {} }, /filters is object; give an array/],
    [{ token: ['secret'] }, /token is array; give a string/],
    [{ role: 'gateway' }, /role=gateway: give one of sidecar, router/],
    [{ decisions: { smaple: 1 } }, /createMesh, decisions has no option "smaple"/],
    [{ decisions: { sample: 7 } }, /sample is 7; give a share of requests, from 0 to 1/],
    ['reviews' as unknown as object, /createMesh: the options are a string; give an object/],
  ])('createMesh(%o) says what is wrong', (options, message) => {
    expect(() => createMesh(options as CreateMeshOptions)).toThrow(message);
    expect(() => createMesh(options as CreateMeshOptions)).toThrow('RIPSTOP_BAD_SETTING');
  });

  it('takes options that are undefined as left out', () => {
    mesh = createMesh({ service: 'web', version: undefined, admin: 'off' } as unknown as CreateMeshOptions);
    expect(mesh.health().state).toBe('starting');
  });

  it.each<[unknown, object, RegExp]>([
    ['8080', {}, /the workload port is a string; give the number/],
    [undefined, {}, /the workload port is missing/],
    [70_000, {}, /the workload port is 70000/],
    [80, { prob: ['/healthz'] }, /mesh.listen has no option "prob"; there are name, bindPort, router, probes/],
    [80, { bindPort: 70_000 }, /bindPort is 70000/],
  ])('mesh.listen(app, %o, %o) says what is wrong', async (port, options, message) => {
    mesh = createMesh({ service: 'web', admin: 'off' });
    await expect(mesh.listen(createServer(), port as number, options as ListenOptions)).rejects.toThrow(message);
  });
});

describe('a folder of configuration that is not there', () => {
  it('is named with its setting', async () => {
    mesh = createMesh({ service: 'web', admin: 'off', config: 'file:./no-such-mesh' });
    await expect(mesh.ready()).rejects.toThrow(/RIPSTOP_CONFIG=file:.\/no-such-mesh: there is no such file or folder/);
  });
});

describe('a server that cannot be served', () => {
  it('is refused with a code when it listens already, stands behind a mesh, or its port is taken', async () => {
    mesh = createMesh({ service: 'web', admin: 'off', config: `file:${import.meta.dirname}` });
    const open = createServer();
    await new Promise<void>((resolve) => open.listen(0, '127.0.0.1', resolve));
    const taken = (open.address() as AddressInfo).port;
    await expect(mesh.listen(open, 80, { bindPort: 0 })).rejects.toMatchObject({ code: 'RIPSTOP_UNSUPPORTED_APP' });
    await expect(mesh.listen(createServer(), 80, { bindPort: taken })).rejects.toMatchObject({ code: 'RIPSTOP_CANNOT_LISTEN' });
    open.close();
    const app = createServer();
    await mesh.listen(app, 80, { bindPort: 0 });
    await expect(mesh.listen(app, 81, { bindPort: 0 })).rejects.toMatchObject({ code: 'RIPSTOP_UNSUPPORTED_APP' });
  });
});
