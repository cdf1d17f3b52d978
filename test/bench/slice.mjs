import { median } from './statistics.mjs';

/**
 * `total` requests of one client with so many in flight, 1 % of them canaries, 0.1 % forbidden, and what came of them. `send` answers the
 * status by its protocol's name, the version that served (undefined: nobody did), and whether the body is the expected one.
 */
export async function runSlice({ total, inFlight }, send) {
  const counts = {};
  const versions = {};
  const latencies = [];
  let [canaryMisses, badBodies, sent] = [0, 0, 0];
  const worker = async () => {
    while (sent < total) {
      const number = sent++;
      const canary = number % 100 === 50;
      const begun = inFlight === 1 ? performance.now() : 0;
      const { code, version, isExpected } = await send({ canary, forbidden: number % 1_000 === 500 });
      if (inFlight === 1) latencies.push(performance.now() - begun);
      counts[code] = (counts[code] ?? 0) + 1;
      if (!isExpected) badBodies++;
      if (version === undefined) continue;
      if (!canary) versions[version] = (versions[version] ?? 0) + 1;
      else if (version !== 'v2') canaryMisses++;
    }
  };
  const cpu = process.cpuUsage();
  const switches = process.resourceUsage().involuntaryContextSwitches;
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  const used = process.cpuUsage(cpu);
  return {
    rps: total / seconds,
    cpuUs: (used.user + used.system) / total,
    counts,
    versions,
    canaryMisses,
    badBodies,
    p50Us: latencies.length === 0 ? undefined : median(latencies) * 1_000,
    switches: process.resourceUsage().involuntaryContextSwitches - switches,
  };
}

/** Of the bare client, which knows its servers: v1, or also v2, to which it sends what a mesh's routes would. */
export function chooseOrigin(origins, canary) {
  return origins.length > 1 && (canary || Math.random() < 0.1) ? origins[1] : origins[0];
}
