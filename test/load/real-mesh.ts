import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Mesh } from '@ripstop/node';
import { TestMesh } from '../interop/mesh/test-mesh.ts';
import { service, workloadEntry } from '../interop/mesh/yaml.ts';
import { sdkMember } from '../interop/runners/context.ts';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import { type LoadClock, SteadyLoad, type Tally } from './steady-load.ts';

const PER_SECOND = 500;
const REPLICAS = 6;
const WORKLOAD_PORT = 8080;

/** With the longest time in which this process, which is all of the mesh, did nothing: above some hundred ms a figure is the machine's. */
export interface RealTally extends Tally {
  readonly longestStallMs: number;
}

const stalls = monitorEventLoopDelay({ resolution: 10 });
stalls.enable();

function withStall(tally: Tally): RealTally {
  const longestStallMs = Math.round(stalls.max / 1e6);
  stalls.reset();
  return { ...tally, longestStallMs };
}

const realClock: LoadClock = {
  now: () => performance.now(),
  setTimer: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Instances stop and start again one after the other, while they are called; real sockets, mTLS, a control plane. */
export async function rollingRestarts(restarts: number): Promise<RealTally> {
  await using parts = new AsyncDisposableStack();
  const yaml = service('api', { targetPort: WORKLOAD_PORT });
  const mesh = parts.use(await TestMesh.start(yaml));
  const start = async (): Promise<Mesh> => {
    const member = await sdkMember({ mesh, parts }, { service: 'api' });
    await member.listen((_request, response) => response.end('ok'), WORKLOAD_PORT);
    return member;
  };
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, start));
  await mesh.synced();
  const client = await sdkMember({ mesh, parts }, { service: 'client' });
  const load = new SteadyLoad(realClock, PER_SECOND, () => get(client));
  // Two at a time, as a Deployment of this size does.
  const half = async (offset: number): Promise<void> => {
    for (let at = 0; at < restarts / 2; at++) {
      const which = (2 * at + offset) % REPLICAS;
      await replicas[which]!.close();
      replicas[which] = await start();
    }
  };
  await Promise.all([half(0), half(1)]);
  return withStall(await load.stop());
}

/** Endpoints come and go by configuration, while they are called. */
export async function endpointChanges(changes: number): Promise<RealTally> {
  await using parts = new AsyncDisposableStack();
  const names = Array.from({ length: REPLICAS }, (_, at) => `api-${at}`);
  const upstreams = parts.use(await Upstreams.start(names));
  const entry = (name: string): string => workloadEntry({ name, app: 'api', version: 'v1', port: upstreams.port(name) });
  /** One of them is out, a different one each time. */
  const yaml = (round: number): string => [service('api'), ...names.filter((_, at) => at !== round % REPLICAS).map(entry)].join('---\n');
  const mesh = parts.use(await TestMesh.start(yaml(0)));
  const client = await sdkMember({ mesh, parts }, { service: 'client' });
  const load = new SteadyLoad(realClock, PER_SECOND, () => get(client));
  // A round takes one endpoint out and puts another one in.
  for (let round = 1; round <= changes / 2; round++) await mesh.apply(yaml(round));
  return withStall(await load.stop());
}

async function get(client: Mesh): Promise<number> {
  const answer = await client.dispatcher.request({ origin: 'http://api', path: '/', method: 'GET' });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`);
  return answer.statusCode;
}
