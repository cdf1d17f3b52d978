import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { baseMesh, UPSTREAMS } from '../simulation/base-mesh.ts';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import type { Pair } from '../simulation/observation.ts';
import { aborts, adds, configuration, discovered, envoyFilter } from '../simulation/table/extension-discovery.ts';
import { PodPort } from './envoy/pod-port.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { servers } from './runners/servers.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: ECDS beside an Envoy: ${envoy.missing}`);

const FAULT = 'envoy.extensions.filters.http.fault.v3.HTTPFault';
/** What a filter says that the default configuration, and that served ones, have made. */
const HEADER = 'x-ecds';
const withDefault = discovered('filter', { default_config: adds(HEADER, 'default') });
const served = (value: string): object => configuration('filter', adds(HEADER, value));

describe.skipIf('missing' in envoy)('a discovered configuration (ECDS) that changes while a server runs', () => {
  const parts = new AsyncDisposableStack();
  let upstreams: Upstreams;
  let mesh: TestMesh;
  let pair: Pair;
  let yaml: (...patches: readonly object[]) => string;

  beforeAll(async () => {
    if ('missing' in envoy) return;
    upstreams = parts.use(await Upstreams.start(UPSTREAMS));
    const pod = parts.use(await PodPort.open());
    yaml = (...patches) => baseMesh(envoyFilter(patches), { port: (name) => upstreams.port(name), podPort: pod.port });
    mesh = parts.use(await TestMesh.start(yaml(withDefault, served('one'))));
    pair = await servers({ envoy: envoy.path, mesh, upstreams, pod, parts });
    await mesh.synced();
  });
  afterAll(() => parts.disposeAsync());

  async function seenBy(side: 'envoy' | 'sdk'): Promise<string> {
    upstreams.play();
    const { status } = await pair[side].call({ url: 'http://served/' });
    const line = upstreams.requests[0]?.headers.find(([name]) => name === HEADER);
    return status === 200 ? String(line?.[1]) : String(status);
  }

  async function both(wanted: string): Promise<void> {
    for (const side of ['envoy', 'sdk'] as const) {
      let seen = '';
      await until(`${side} says ${wanted}`, async () => {
        seen = await seenBy(side);
        if (seen !== wanted) throw new Error(`it says ${seen}`);
        return true;
      });
      expect(seen).toBe(wanted);
    }
  }

  it('is in force from the start', () => both('one'));

  it('changes without its listener', async () => {
    await mesh.apply(yaml(withDefault, served('two')));
    await both('two');
  });

  it('stays as it was when a new one is refused', async () => {
    await expect(mesh.apply(yaml(withDefault, configuration('filter', aborts(418))))).rejects.toThrow('refuses the configuration');
    await until('both have refused it', () => mesh.refusals().length === 2);
    await both('two');
    await mesh.apply(yaml(withDefault, served('three')));
    await both('three');
  });

  it('stays when it is taken away, as with istiod', async () => {
    await mesh.apply(yaml(withDefault));
    await mesh.apply(yaml(withDefault, configuration('another', adds('x-another', 'yes'))));
    await both('three');
  });

  it('is waited for by a new version of its listener, and what was there goes on', async () => {
    await mesh.apply(yaml(discovered('filter'), served('five')));
    await both('five');
    const source = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '2s' };
    await mesh.apply(yaml(discovered('filter'), served('five'), discovered('nobody-has', { config_source: source })));
    await both('five');
    await both('500');
  });

  it('is the default one where nobody has another, and where the one that is there is of another type', async () => {
    await mesh.apply(yaml(discovered('never', { default_config: adds(HEADER, 'default') })));
    await both('default');
    await mesh.apply(yaml(discovered('filter'), served('six')));
    await both('six');
    await mesh.apply(yaml(discovered('filter', { default_config: aborts(418) }, [FAULT]), served('six')));
    await both('418');
  });
});
