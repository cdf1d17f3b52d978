// How a bench process joins the mesh: as any service does, from its environment.
import { setTimeout as sleep } from 'node:timers/promises';
import { createMesh } from '../../packages/node/dist/index.mjs';

export async function join(options = {}) {
  const mesh = createMesh({ admin: '127.0.0.1:0', ...options });
  await mesh.ready();
  return mesh;
}

/** Until the mesh would send requests to both versions of what is called: nothing is sent, so nothing is counted. */
export async function bothVersionsKnown(mesh, url) {
  for (const headers of [{}, { 'x-canary': 'yes' }])
    while ((await mesh.explain({ url, headers })).verdict.kind !== 'forward') await sleep(20);
}

/** Sum of istio_requests_total by one label (`response_code`, `grpc_response_status`) of a reporter, as a Prometheus would scrape it. */
export async function requestsTotal(meshes, reporter, label) {
  const byCode = {};
  for (const mesh of meshes) {
    const text = await (await fetch(`http://${mesh.adminAddress}/stats/prometheus`)).text();
    for (const line of text.split('\n')) {
      if (!line.startsWith('istio_requests_total{') || !line.includes(`reporter="${reporter}"`)) continue;
      const code = new RegExp(`${label}="(\\d*)"`).exec(line)[1];
      byCode[code] = (byCode[code] ?? 0) + Number(line.slice(line.lastIndexOf(' ')));
    }
  }
  return byCode;
}
