import { createVirtualMesh, type VirtualService } from '@ripstop/testing';
import { SteadyLoad } from './steady-load.ts';

export interface BlackholeFigures {
  readonly calls: number;
  readonly failed: number;
  /** From the first lost packet to the ejection; -1 = it was never ejected. */
  readonly ejectedAfterMs: number;
}

const PER_SECOND = 500;
const ENDPOINTS = 10;
const BEFORE_MS = 2_000;
const STEP_MS = 25;

/** One endpoint of ten goes silent under load: connections to it stay, and nothing comes back. In virtual time. */
export async function blackhole(seconds: number): Promise<BlackholeFigures> {
  const services: Record<string, VirtualService> = { client: {} };
  for (let at = 1; at <= ENDPOINTS; at++)
    services[`api-${at}`] = { service: 'api', app: (_request, response) => void mesh.clock.setTimer(() => response.end('ok'), 5) };
  await using mesh = await createVirtualMesh({ yaml: YAML, services, patienceMs: 0 });
  const client = mesh.member('client');
  const load = new SteadyLoad(mesh.clock, PER_SECOND, async () => {
    const answer = await client.fetch('http://api/');
    await answer.text();
    return answer.status;
  });
  await mesh.pass(BEFORE_MS);
  const cluster = client.parts.snapshots.current?.clusters.get('outbound|80||api.default.svc.cluster.local');
  const victim = cluster?.endpoints[0];
  if (victim === undefined) throw new Error('the cluster of the service has no endpoints');
  mesh.network.blackhole({ host: victim.address, port: victim.port });
  const since = mesh.clock.now();
  let ejectedAfterMs = -1;
  while (mesh.clock.now() - since < seconds * 1000) {
    await mesh.pass(STEP_MS);
    if (ejectedAfterMs < 0 && victim.ejected) ejectedAfterMs = mesh.clock.now() - since;
  }
  const { calls, failed } = await mesh.until(load.stop());
  return { calls, failed, ejectedAfterMs };
}

const YAML = `
apiVersion: v1
kind: Service
metadata: { name: api, namespace: default }
spec: { selector: { app: api }, ports: [{ name: http, port: 80, targetPort: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api, namespace: default }
spec:
  host: api
  trafficPolicy:
    connectionPool: { tcp: { connectTimeout: 0.25s } }
    outlierDetection: { consecutive5xxErrors: 5, interval: 1s, baseEjectionTime: 30s, maxEjectionPercent: 50 }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api, namespace: default }
spec:
  hosts: [api]
  http:
  - timeout: 5s
    retries: { attempts: 3, perTryTimeout: 0.25s, retryOn: "gateway-error,connect-failure,reset" }
    route: [{ destination: { host: api } }]
`;
