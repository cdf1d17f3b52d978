import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: plugins in an Envoy: ${envoy.missing}`);

/** A WasmPlugin at the client's side. */
const plugin = (spec: object): string => `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: { name: p, namespace: default }
spec: ${JSON.stringify({ match: [{ mode: 'CLIENT' }], ...spec })}
`;
const lua = (code: string): string => `apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
metadata: { name: l, namespace: default }
spec: ${JSON.stringify({ match: [{ mode: 'CLIENT' }], lua: { inlineCode: code } })}
`;

/**
 * The smallest plugin that Envoy takes (proxy-wasm ABI 0.2.1): a module with memory, an allocator and no callbacks, so requests pass it.
 * Sections: type () -> (), (i32) -> i32; functions; memory; exports; code.
 */
const MODULE = Buffer.from([
  0x00,
  0x61,
  0x73,
  0x6d,
  0x01,
  0x00,
  0x00,
  0x00,
  // types: () -> (), (i32) -> i32
  0x01,
  0x09,
  0x02,
  0x60,
  0x00,
  0x00,
  0x60,
  0x01,
  0x7f,
  0x01,
  0x7f,
  // functions: the marker of the ABI, malloc
  0x03,
  0x03,
  0x02,
  0x00,
  0x01,
  // one page of memory
  0x05,
  0x03,
  0x01,
  0x00,
  0x01,
  ...section(0x07, [3, ...exported('memory', 2, 0), ...exported('proxy_abi_version_0_2_1', 0, 0), ...exported('malloc', 0, 1)]),
  // code: nothing; return 0
  0x0a,
  0x09,
  0x02,
  0x02,
  0x00,
  0x0b,
  0x04,
  0x00,
  0x41,
  0x00,
  0x0b,
]);

function exported(name: string, kind: number, index: number): number[] {
  return [name.length, ...Buffer.from(name), kind, index];
}

function section(id: number, body: readonly number[]): number[] {
  return [id, body.length, ...body];
}

describe.skipIf('missing' in envoy).each(['delta', 'sotw'] as const)('an Envoy over %s that is sent plugins', (variant) => {
  async function member(extension: string, { refuses = false } = {}) {
    if ('missing' in envoy) throw new Error(envoy.missing);
    const parts = new AsyncDisposableStack();
    onTestFinished(() => parts.disposeAsync());
    const upstreams = parts.use(await Upstreams.start(['echo']));
    const entry = workloadEntry({ name: 'echo', app: 'echo', version: 'v1', port: upstreams.port('echo') });
    const mesh = parts.use(await TestMesh.start(documents(service('echo'), entry, extension), ['RIPSTOP_UNSUPPORTED_KIND']));
    const web = parts.use(
      await MeshEnvoy.start(envoy.path, mesh, { role: 'sidecar', variant, name: 'web', labels: { app: 'web' }, refuses }),
    );
    return { mesh, web, upstreams };
  }

  async function status(web: MeshEnvoy): Promise<number> {
    const client = await web.outboundClient(80);
    try {
      const { statusCode, body } = await client.request({ method: 'GET', path: '/', headers: { host: 'echo' } });
      await body.dump();
      return statusCode;
    } finally {
      client.destroy();
    }
  }

  function file(content: Uint8Array): string {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-wasm-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'plugin.wasm');
    writeFileSync(path, content);
    return `file://${path}`;
  }

  it.each(['AUTHN', 'AUTHZ', 'STATS', 'UNSPECIFIED_PHASE'])(
    'runs a module from a file, and says no word against it (%s)',
    async (phase) => {
      const { web } = await member(plugin({ url: file(MODULE), phase, pluginConfig: { a: 1 } }));
      await until('the listener', async () => (await status(web)) === 200);
      expect(web.relay.refusals).toEqual([]);
      const stats = await web.process.get('/stats?filter=^wasm.envoy.wasm.runtime.v8.created');
      expect(Number(/created: (\d+)/.exec(stats)?.[1] ?? 0)).toBeGreaterThan(0);
    },
  );

  it('runs Lua that stands in the listener', async () => {
    const { web } = await member(lua('function envoy_on_request(handle) handle:respond({[":status"] = "418"}, "tea") end'));
    await until('the listener', async () => (await status(web)) === 418);
    expect(web.relay.refusals).toEqual([]);
  });

  // FAIL_OPEN is about a module that fails while it runs: one that is none is refused, and the filter answers for it.
  it.each(['FAIL_CLOSE', 'FAIL_OPEN'])('refuses what is no module, and every request (%s)', async (failStrategy) => {
    const { web } = await member(plugin({ url: file(Buffer.from('no module')), failStrategy }), { refuses: true });
    await until('the listener', async () => (await status(web)) === 500);
    expect(web.relay.refusals.map(({ reason }) => reason)).toContain('Unable to create Wasm plugin default.p~istio-translated-wasmplugin');
  });
});
