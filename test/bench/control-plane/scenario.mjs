// One mesh size: cold start, endpoint changes, route changes, everybody reconnecting. A figure without its proof is a miss.
import { join } from 'node:path';
import { BenchProcess } from '../process.mjs';
import { median } from '../statistics.mjs';
import { meshFolder } from './folder.mjs';
import { benchService, canaryFile, changedAddress, meshFiles, sliceYaml } from './mesh-yaml.mjs';
import { ENDPOINTS, ROUTES } from './subscriber.mjs';

const PROCESSES = 2;

export async function runMesh({ services, subscribers, seed, changes, profileDir }) {
  using folder = meshFolder(meshFiles(services, seed));
  const server = new BenchProcess('./control-plane/server.mjs');
  const clients = Array.from({ length: PROCESSES }, () => new BenchProcess('./control-plane/subscribers.mjs', { core: 1, idle: true }));
  try {
    const started = await server.ask('start', { source: folder.path });
    const mesh = new BenchMesh({ server, clients, folder: folder.path, xds: started.xds, subscribers, seed, services });
    const phase = (name) =>
      profileDir === undefined ? undefined : server.ask('profile', { dir: profileDir, phase: `${services}-${name}` });
    await phase();
    const cold = await mesh.connect();
    await phase('cold');
    const settled = await server.ask('look');
    const endpoint = [];
    await phase();
    for (let change = 0; change < changes.endpoint; change++) endpoint.push(await mesh.changeEndpoint(change));
    await phase('endpoint');
    const atEndpoints = await server.ask('look');
    const route = [];
    await phase();
    for (let change = 0; change < changes.route; change++) route.push(await mesh.changeRoute(change));
    await phase('route');
    const atRoutes = await server.ask('look');
    for (const client of clients) await client.ask('disconnect');
    await phase();
    const again = await mesh.connect();
    await phase('again');
    const last = await server.ask('look');
    return {
      services,
      startMs: Math.round(started.ms),
      documents: started.documents,
      // Figures by the clock are not comparable with those of clients that are only nice.
      clientsIdle: clients.every(({ isIdle }) => isIdle),
      coldMs: Math.round(cold.ms),
      coldCpuMs: Math.round(settled.cpuMs),
      coldClientsCpuMs: Math.round(cold.cpuMs),
      coldStallMs: round(settled.stallMs),
      coldStallCpuMs: round(settled.stallCpuMs),
      coldStall: stallOf(settled),
      coldGcMs: round(settled.collectedMs),
      coldLongestGcMs: round(settled.longestCollectionMs),
      fullSetKb: Math.round(cold.bytes / subscribers / 1_024),
      endpointMs: round(Math.max(...endpoint.map(({ ms }) => ms))),
      endpointMedianMs: round(median(endpoint.map(({ ms }) => ms))),
      endpointFirst: endpoint.slice(0, 2).map(({ ms }) => round(ms)),
      endpointBytes: Math.round(median(endpoint.map(({ bytes }) => bytes / subscribers))),
      endpointCpuMs: round(atEndpoints.cpuMs / endpoint.length),
      endpointStallMs: round(atEndpoints.stallMs),
      endpointStallCpuMs: round(atEndpoints.stallCpuMs),
      endpointStall: stallOf(atEndpoints),
      endpointGcMs: round(atEndpoints.collectedMs),
      endpointLongestGcMs: round(atEndpoints.longestCollectionMs),
      routeMs: round(Math.max(...route.map(({ ms }) => ms))),
      routeMedianMs: round(median(route.map(({ ms }) => ms))),
      routeBytes: Math.round(median(route.map(({ bytes }) => bytes / subscribers))),
      routeCpuMs: round(atRoutes.cpuMs / route.length),
      routeStallMs: round(atRoutes.stallMs),
      routeStallCpuMs: round(atRoutes.stallCpuMs),
      routeStall: stallOf(atRoutes),
      routeGcMs: round(atRoutes.collectedMs),
      routeLongestGcMs: round(atRoutes.longestCollectionMs),
      againMs: Math.round(again.ms),
      againCpuMs: Math.round(last.cpuMs),
      againClientsCpuMs: Math.round(again.cpuMs),
      againStallMs: round(last.stallMs),
      againStallCpuMs: round(last.stallCpuMs),
      againStall: stallOf(last),
      againGcMs: round(last.collectedMs),
      againLongestGcMs: round(last.longestCollectionMs),
      stallMs: round(Math.max(settled.stallMs, last.stallMs)),
      stallCpuMs: round(Math.max(...[settled, atEndpoints, atRoutes, last].map((seen) => seen.stallCpuMs))),
      rssMb: Math.round(atRoutes.rssMb),
      rssPeakMb: Math.round(last.rssMb),
      heapMb: Math.round(atRoutes.heapMb),
      misses: [...mesh.misses, ...last.problems],
    };
  } finally {
    for (const child of [server, ...clients]) child.stop();
  }
}

class BenchMesh {
  misses = new Set();

  constructor(parts) {
    Object.assign(this, parts);
  }

  async connect() {
    const { xds, subscribers, clients, server } = this;
    await server.ask('look');
    const count = Math.ceil(subscribers / clients.length);
    const results = await Promise.all(
      clients.map((client, index) => {
        const first = index * count;
        return client.ask('connect', { address: xds, first, count: Math.min(count, subscribers - first) });
      }),
    );
    const ms = Math.max(...results.map(({ finishedMs }) => finishedMs)) - Math.min(...results.map(({ startedMs }) => startedMs));
    return { ms, bytes: sum(results.map(({ bytes }) => bytes)), cpuMs: sum(results.map(({ cpuMs }) => cpuMs)) };
  }

  /** By turns an EndpointSlice that is saved, and a process that registers itself and goes again. */
  async changeEndpoint(change) {
    if (change % 2 === 1) return this.changeRegistration(change);
    const service = benchService((change * 37) % this.services, this.seed);
    const generation = 1 + change;
    const edit = { file: this.file(`${service.name}-endpoints.yaml`), text: sliceYaml(service, generation) };
    return this.observe({ typeUrl: ENDPOINTS, marker: changedAddress(service.index, generation), only: isOf(service) }, () =>
      this.save(edit),
    );
  }

  /** The first subscriber is of team-0, so it can serve an app of that namespace. */
  changeRegistration(change) {
    const [client] = this.clients;
    const error = this.serving === undefined ? undefined : 'done';
    const service = this.serving ?? benchService((change * 10) % this.services, this.seed);
    this.serving = error === undefined ? service : undefined;
    return this.observe({ typeUrl: ENDPOINTS, marker: service.host, only: isOf(service) }, async () => {
      return (await client.ask('register', { app: service.name, error })).sentMs;
    });
  }

  async changeRoute(change) {
    const service = benchService(((change * 70) % this.services) - (((change * 70) % this.services) % 10), this.seed);
    const edit = { file: this.file(`${service.name}.yaml`), text: canaryFile(service, 89 - change) };
    const only = (name) => name === String(service.port);
    return this.observe({ typeUrl: ROUTES, marker: service.host, only }, () => this.save(edit));
  }

  async observe({ typeUrl, marker, only }, act) {
    for (const client of this.clients) await client.ask('expect', { typeUrl, marker });
    const startMs = await act();
    const taken = await Promise.all(this.clients.map((client) => client.ask('taken')));
    const others = taken.flatMap(({ names }) => names).filter((name) => !only(name));
    if (others.length > 0)
      this.misses.add(`a change of one resource (${marker}) sent others: ${[...new Set(others)].slice(0, 5).join(', ')}`);
    return { ms: Math.max(...taken.map(({ lastMs }) => lastMs)) - startMs, bytes: sum(taken.map(({ bytes }) => bytes)) };
  }

  async save(edit) {
    return (await this.server.ask('save', edit)).savedMs;
  }

  file(name) {
    return join(this.folder, name);
  }
}

/** The longest by the clock: how much of it was work, and how much waiting for a core. */
function stallOf({ stall: { ms, cpuMs, waitedMs }, waitedMs: all }) {
  return { ms: round(ms), cpuMs: round(cpuMs), waitedMs: round(waitedMs), allWaitedMs: round(all) };
}

/** Clusters of one service, in any form. */
function isOf({ host }) {
  return (name) => name.endsWith(`|${host}`);
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function round(value) {
  return Math.round(value * 10) / 10;
}
