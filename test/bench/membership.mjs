// How a bench process joins the mesh: as any service does, from its environment.
import { createMesh } from '../../packages/node/dist/index.mjs';

export async function join(options = {}) {
  const mesh = createMesh({ admin: '127.0.0.1:0', ...options });
  await mesh.ready();
  return mesh;
}

/** Sum of istio_requests_total by response code and reporter, as a Prometheus would scrape it. */
export async function requestsTotal(meshes, reporter) {
  const byCode = {};
  for (const mesh of meshes) {
    const text = await (await fetch(`http://${mesh.adminAddress}/stats/prometheus`)).text();
    for (const line of text.split('\n')) {
      if (!line.startsWith('istio_requests_total{') || !line.includes(`reporter="${reporter}"`)) continue;
      const code = /response_code="(\d+)"/.exec(line)[1];
      byCode[code] = (byCode[code] ?? 0) + Number(line.slice(line.lastIndexOf(' ')));
    }
  }
  return byCode;
}
