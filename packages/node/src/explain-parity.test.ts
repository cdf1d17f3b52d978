import { absentNode, ObjectStore, PushContext, wireResourcesOf } from '@ripstop/control-plane';
import {
  type Clock,
  Exchange,
  ExplainedHead,
  explainInbound,
  explainOutbound,
  isLease,
  NO_PEER,
  Pipeline,
  type Snapshot,
} from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { callerOf } from './explain.ts';
import { compileOffline } from './offline.ts';

const MESHES = 100;
const REQUESTS = 1_000;

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Delays are over at once: their length is not the question. */
const clock: Clock = {
  now: () => 0,
  wallTime: () => 0,
  setTimer: (run) => {
    run();
    return { cancel() {} };
  },
};

/** A mesh of one service with routes, faults and policies out of small pools, so that they meet. */
function meshYaml(random: () => number): string {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const some = (most: number, make: () => string): string => Array.from({ length: 1 + Math.floor(random() * most) }, make).join(', ');
  const match = (): string => {
    const parts = [`uri: { ${pick(['prefix: /a', 'exact: /a/b', 'regex: "/[ab]/.*"', 'prefix: /'])} }`];
    if (random() < 0.4)
      parts.push(`headers: { ${pick(['x-user', 'x-tier'])}: { ${pick(['exact: u1', 'prefix: u', 'regex: "u[0-9]"'])} } }`);
    if (random() < 0.2) parts.push(`withoutHeaders: { x-tier: { exact: u2 } }`);
    if (random() < 0.2) parts.push(`method: { exact: ${pick(['GET', 'POST'])} }`);
    if (random() < 0.2) parts.push(`queryParams: { q: { exact: "1" } }`);
    return `{ ${parts.join(', ')} }`;
  };
  const route = (): string => {
    const parts = [`match: [${some(2, match)}]`];
    const kind = random();
    if (kind < 0.15) parts.push(`redirect: { uri: /moved, redirectCode: 302 }`);
    else if (kind < 0.3) parts.push(`directResponse: { status: 418 }`);
    else {
      if (random() < 0.3)
        parts.push(
          `fault: { abort: { percentage: { value: ${pick([0, 100])} }, httpStatus: 555 }, delay: { percentage: { value: 100 }, fixedDelay: 9s } }`,
        );
      if (random() < 0.3) parts.push(`rewrite: { uri: /rewritten }`);
      parts.push(
        `route: [{ destination: { host: web, subset: v1 }, weight: 70 }, { destination: { host: web, subset: ${pick(['v2', 'none'])} }, weight: 30 }]`,
      );
    }
    return `{ ${parts.join(', ')} }`;
  };
  const rule = (): string =>
    `{ ${pick(['from: [{ source: { namespaces: [default] } }], ', 'from: [{ source: { principals: ["*/sa/web"] } }], ', ''])}to: [{ operation: { ${pick(['paths: [/a/*]', 'methods: [GET]', 'notPaths: ["*/b"]'])} } }] }`;
  const policies = Array.from({ length: Math.floor(random() * 3) }, (_none, index) =>
    [
      '---',
      'apiVersion: security.istio.io/v1',
      'kind: AuthorizationPolicy',
      `metadata: { name: p${index} }`,
      `spec: { action: ${pick(['ALLOW', 'DENY'])}, rules: [${some(2, rule)}] }`,
    ].join('\n'),
  );
  return `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-1 }
spec: { address: 10.0.0.1, labels: { app: web, version: v1 } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-2 }
spec: { address: 10.0.0.2, labels: { app: web, version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec: { host: web, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }, { name: none, labels: { version: v9 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [web], http: [${some(5, route)}] }
${policies.join('\n')}`;
}

function snapshotOf(yaml: string, random: () => number): Snapshot {
  const store = new ObjectStore();
  const { objects } = store.update([{ name: 'mesh.yaml', text: yaml }])!;
  const push = new PushContext({ objects, workloads: [], trustDomain: 'cluster.local' });
  const node = absentNode('web', 'default', { instances: push.instances, objects });
  return compileOffline(wireResourcesOf(node, push), { clock, random }).snapshot;
}

/** The data plane's own walk, as the drivers take it, up to the attempt. */
async function walk(x: Exchange, pipeline: Pipeline): Promise<object> {
  const refused = await pipeline.begin(x);
  if (refused !== undefined) return { status: refused.status, details: refused.details, path: x.request.path };
  if (x.cluster === undefined) return { status: 0, details: 'served', path: x.request.path };
  const lease = x.cluster.acquire(x);
  if (!isLease(lease)) return { status: lease.status, details: lease.details, path: x.request.path };
  lease.release({ kind: 'cancelled' });
  return { status: 0, details: x.cluster.name, path: x.request.path };
}

describe('explain', () => {
  it(`agrees with the data plane over ${MESHES * REQUESTS} random pairs of configuration and request`, async () => {
    let dice = 0;
    const env = { clock, pipeline: new Pipeline({ clock, random: () => dice }) };
    const kinds = new Map<string, number>();
    for (let mesh = 0; mesh < MESHES; mesh++) {
      const random = seeded(mesh + 1);
      const yaml = meshYaml(random);
      const snapshot = snapshotOf(yaml, () => dice);
      for (let request = 0; request < REQUESTS; request++) {
        dice = random();
        const asked = {
          method: random() < 0.7 ? 'GET' : 'POST',
          url: `http://web${['/a', '/a/b', '/b/c', '/', '/a%2Fb', '//a'][Math.floor(random() * 6)]}${random() < 0.3 ? '?q=1' : ''}`,
          headers: {
            ...(random() < 0.5 ? { 'x-user': ['u1', 'u2', 'v'][Math.floor(random() * 3)]! } : {}),
            ...(random() < 0.3 ? { 'x-tier': 'u2' } : {}),
          },
        };
        const inbound = random() < 0.5;
        const peer = callerOf(['anonymous', 'default/web', 'other/api'][Math.floor(random() * 3)]!, 'cluster.local');
        const { verdict, request: head } = inbound
          ? await explainInbound(env, snapshot, { asked, peer, port: 9080 })
          : await explainOutbound(env, snapshot, asked);
        const said =
          verdict.kind === 'reply'
            ? { status: verdict.status, details: verdict.details, path: head.path }
            : { status: 0, details: verdict.kind === 'forward' ? verdict.cluster : 'served', path: head.path };
        const manager = inbound
          ? snapshot.inbound.find(({ match, tls }) => match.destinationPort === 9080 && (tls !== undefined) === peer.mtls)!.http!
          : snapshot.outbound.forPort(80)!;
        const x = new Exchange({
          direction: inbound ? 'inbound' : 'outbound',
          protocol: 'http1',
          request: new ExplainedHead(asked),
          snapshot,
          manager,
          peer: inbound ? peer : NO_PEER,
          port: inbound ? 9080 : 80,
          startedAt: 0,
        });
        const done = await walk(x, env.pipeline);
        expect(said, `${yaml}\n${JSON.stringify(asked)} ${inbound ? `from ${peer.uriSans}` : ''}`).toEqual(done);
        const kind = `${inbound ? 'in' : 'out'} ${said.details.split('[')[0]}`;
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
    }
    // The pairs reach every kind of end.
    const ends = [...kinds.keys()].join('\n');
    for (const end of [
      'out route_not_found',
      'out direct_response',
      'out fault_filter_abort',
      'out no_healthy_upstream',
      'out outbound|80|v1|',
      'in served',
      'in rbac_access_denied',
    ])
      expect(ends).toContain(end);
  }, 120_000);
});
