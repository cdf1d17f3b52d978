import { createVirtualMesh, type VirtualService } from '@ripstop/testing';
import { SteadyLoad } from './steady-load.ts';

export interface StormFigures {
  readonly hops: number;
  readonly calls: number;
  /** Requests that the last service saw, per call; without retries 1. */
  readonly amplification: number;
  /** The same when there is no budget. */
  readonly withoutBudget: number;
}

const PER_SECOND = 500;
/** Over three hops each call becomes 64 then. */
const UNLIMITED_SECONDS = 0.1;
/** A failure that takes its time: so many are under way that a budget is a number. */
const FAILS_AFTER_MS = 100;
/** Of all requests under way so many may be retries. Three hops multiply. */
const BUDGET_PERCENT: Readonly<Record<number, number>> = { 1: 15, 3: 5 };

/** Everything fails, everybody retries three times, with a retry budget and without; in virtual time. */
export async function retryStorm(hops: 1 | 3, seconds: number): Promise<StormFigures> {
  const { calls, amplification } = await storm(hops, seconds, BUDGET_PERCENT[hops]!);
  return { hops, calls, amplification, withoutBudget: (await storm(hops, UNLIMITED_SECONDS, undefined)).amplification };
}

async function storm(
  hops: 1 | 3,
  seconds: number,
  budgetPercent: number | undefined,
): Promise<{ readonly calls: number; readonly amplification: number }> {
  const names = ['first', 'second', 'third'].slice(0, hops);
  let seen = 0;
  const services: Record<string, VirtualService> = { client: {} };
  for (const [at, name] of names.entries()) {
    const next = names[at + 1];
    services[name] = {
      app: (_request, response) => {
        const answer = (status: number): void => {
          response.writeHead(status).end();
        };
        if (next === undefined) {
          seen++;
          mesh.clock.setTimer(() => answer(503), FAILS_AFTER_MS);
        } else
          mesh
            .member(name)
            .fetch(`http://${next}/`)
            .then(
              ({ status }) => answer(status),
              () => answer(502),
            );
      },
    };
  }
  const yaml = names.map((name) => serviceYaml(name, budgetPercent)).join('---\n');
  await using mesh = await createVirtualMesh({ yaml, services, patienceMs: 0 });
  const load = new SteadyLoad(mesh.clock, PER_SECOND, async () => (await mesh.member('client').fetch('http://first/')).status);
  await mesh.pass(seconds * 1000);
  const { calls } = await mesh.until(load.stop());
  return { calls, amplification: Math.round((1000 * seen) / calls) / 1000 };
}

function serviceYaml(name: string, percent: number | undefined): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: default }
spec:
  host: ${name}
  trafficPolicy:
    tls: { mode: DISABLE }
    connectionPool: { http: { maxRetries: 100000 } }
${percent === undefined ? '' : `    retryBudget: { percent: ${percent}, minRetryConcurrency: 1 }`}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: default }
spec:
  hosts: [${name}]
  http:
  - retries: { attempts: 3, retryOn: 5xx }
    route: [{ destination: { host: ${name} } }]
`;
}
