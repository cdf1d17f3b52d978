// One block: fresh processes of both arms, warmed, measured slice by slice in ABBA order, then one request in flight for the latency.

const SLICE = 1_500;
const LONE = 250;
const IN_FLIGHT = 16;
const FEWEST_PAIRS = 4;

/** `first` opens the first pair; pairs follow for `ms`. */
export async function runBlock(arms, { first, ms }) {
  await warm(Object.values(arms));
  const orders = first === 'bare' ? [['bare', 'mesh'], ['mesh', 'bare']] : [['mesh', 'bare'], ['bare', 'mesh']]; // biome-ignore format: one line
  const pairs = [];
  const until = performance.now() + ms;
  for (let pair = 0; pair < FEWEST_PAIRS || performance.now() < until; pair++) {
    const measured = {};
    for (const name of orders[pair % 2]) measured[name] = await arms[name].slice(SLICE, IN_FLIGHT);
    pairs.push(measured);
  }
  const kept = withoutNoisiest(pairs);
  const lone = { bare: await arms.bare.slice(LONE, 1), mesh: await arms.mesh.slice(LONE, 1) };
  return {
    rps: kept.map(({ bare, mesh }) => mesh.rps / bare.rps),
    cpu: kept.map(({ bare, mesh }) => mesh.totalCpuUs / bare.totalCpuUs),
    bareRps: kept.map(({ bare }) => bare.rps),
    meshRps: kept.map(({ mesh }) => mesh.rps),
    bareClientUs: kept.map(({ bare }) => bare.cpuUs),
    meshClientUs: kept.map(({ mesh }) => mesh.cpuUs),
    bareServerUs: kept.map(({ bare }) => bare.serverCpuUs),
    meshServerUs: kept.map(({ mesh }) => mesh.serverCpuUs),
    addedUs: [lone.mesh.p50Us - lone.bare.p50Us],
  };
}

/** Pairs that other processes interrupted more than nine tenths of the others. */
function withoutNoisiest(pairs) {
  const switches = ({ bare, mesh }) => bare.switches + mesh.switches;
  const most = pairs.map(switches).sort((a, b) => a - b)[Math.floor(pairs.length * 0.9)];
  return pairs.filter((pair) => switches(pair) <= most);
}

/**
 * At least 13,500 requests of each arm, and until the rate of both together settles: after 11,000 to 12,000 V8 compiles its last tier in
 * one wave (50 functions bare, 60 to 75 in the mesh; `--trace-opt`), and nothing to speak of later.
 */
const WARM_ROUNDS = 9;

async function warm(arms) {
  const until = performance.now() + 6_000;
  let before = 0;
  for (let round = 0; round < WARM_ROUNDS || performance.now() < until; round++) {
    let rate = 0;
    for (const arm of arms) rate += (await arm.slice(SLICE, IN_FLIGHT)).rps;
    if (round >= WARM_ROUNDS - 1 && Math.abs(rate - before) < before * 0.05) return;
    before = rate;
  }
}
