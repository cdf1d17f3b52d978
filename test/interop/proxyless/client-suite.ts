import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestMesh } from '../mesh/test-mesh.ts';
import { documents, subsets, workloadEntry } from '../mesh/yaml.ts';
import { until } from '../until.ts';
import { Greeter } from './greeter.ts';
import { type GrpcProgram, type Outcome, ProxylessMember } from './program.ts';

const HOST = 'greeter.default.svc.cluster.local';
const TARGET = `xds:///${HOST}:7070`;

const greeter = (name: string): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${name} }, ports: [{ name: grpc, port: 7070 }] }
`;

/** The routes hold what a stock library would refuse whole, or take for something else: each must leave the other routes alone. */
const yaml = (ports: ReadonlyMap<string, number>, moving = 'v1'): string =>
  documents(
    greeter('greeter'),
    greeter('pair'),
    greeter('moving'),
    subsets('moving', ['v1', 'v2']),
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: moving, namespace: default }
spec: { hosts: [moving], http: [{ route: [{ destination: { host: moving, subset: ${moving} } }] }] }
`,
    subsets('greeter', ['v1', 'v2'], '  trafficPolicy: { loadBalancer: { simple: LEAST_REQUEST } }\n'),
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: greeter, namespace: default }
spec:
  hosts: [greeter]
  http:
  - match: [{ queryParams: { never: { exact: "1" } } }]
    route: [{ destination: { host: greeter, subset: v2 } }]
  - match: [{ method: { exact: GET } }]
    route: [{ destination: { host: greeter, subset: v2 } }]
  - match: [{ headers: { x-case: { exact: redirect } } }]
    redirect: { uri: /elsewhere }
  - match: [{ headers: { x-case: { exact: forbidden } } }]
    directResponse: { status: 403 }
  - match: [{ headers: { x-case: { exact: abort } } }]
    fault: { abort: { grpcStatus: UNAVAILABLE } }
    route: [{ destination: { host: greeter, subset: v1 } }]
  - match: [{ headers: { x-case: { exact: without } }, withoutHeaders: { x-other: { exact: "1" } } }]
    corsPolicy: { allowMethods: [POST] }
    route: [{ destination: { host: greeter, subset: v2 } }]
  - match: [{ headers: { x-case: { regex: "spl[i]t|halves" } } }]
    route:
    - { destination: { host: greeter, subset: v1 }, weight: 90 }
    - { destination: { host: greeter, subset: v2 }, weight: 10 }
  - match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: greeter, subset: v2 } }]
  - route: [{ destination: { host: greeter, subset: v1 } }]
`,
    ...[...ports].map(([name, port]) => {
      const [app = '', version = ''] = name.split('-');
      return workloadEntry({ name, app, version, port }).replace('http:', 'grpc:');
    }),
  );

/** gRPC-Go takes new routes a moment before its balancer knows their clusters (ClientConn.updateResolverState); no server can help it. */
const OWN_RACE = /^unknown cluster selected for RPC/;

/** What any stock gRPC client does with our `grpc` dialect. */
export function describeClient(name: string, program: GrpcProgram | undefined): void {
  describe.skipIf(program === undefined)(name, { timeout: 60_000 }, () => {
    const parts = new AsyncDisposableStack();
    const greeters = new Map<string, Greeter>();
    const ports = (): Map<string, number> => new Map([...greeters].map(([key, { port }]) => [key, port]));
    let mesh: TestMesh;
    let member: ProxylessMember;
    const call = (header: string, calls = 1): Promise<Outcome[]> => member.call(TARGET, ['--headers', header, '--calls', `${calls}`]);

    beforeAll(async () => {
      if (program === undefined) return;
      for (const name of ['greeter-v1', 'greeter-v2', 'moving-v1', 'moving-v2']) {
        greeters.set(name, parts.use(await Greeter.start(name.split('-')[1]!)));
      }
      greeters.set('pair-dies', parts.use(await Greeter.start('dies', 20)));
      greeters.set('pair-lives', parts.use(await Greeter.start('lives')));
      mesh = parts.use(await TestMesh.start(yaml(ports())));
      member = await ProxylessMember.of(mesh, program, { app: 'caller' });
    });
    afterAll(() => parts.disposeAsync());

    it('calls a server without a mesh (the program works)', async () => {
      expect(await member.call(`dns:///127.0.0.1:${greeters.get('greeter-v2')!.port}`)).toEqual([{ code: 0, reply: 'v2' }]);
    });

    it('follows the default route, by any name of the service', async () => {
      expect(await call('', 5)).toEqual(Array.from({ length: 5 }, () => ({ code: 0, reply: 'v1' })));
      expect(await member.call('xds:///greeter:7070')).toEqual([{ code: 0, reply: 'v1' }]);
    });

    it('reaches a subset by a header', async () => {
      expect(await call('end-user=jason')).toEqual([{ code: 0, reply: 'v2' }]);
    });

    it('follows weights', async () => {
      const outcomes = await call('x-case=split', 1000);
      const share = outcomes.filter(({ reply }) => reply === 'v2').length / outcomes.length;
      expect(outcomes.every(({ code }) => code === 0)).toBe(true);
      expect(Math.abs(share - 0.1)).toBeLessThan(0.043); // 4.5 standard deviations
    });

    it.each([
      ['abort', 14],
      ['forbidden', 7],
      ['redirect', 2],
    ])('meets what Envoy would answer: %s', async (header, code) => {
      expect(await call(`x-case=${header}`)).toMatchObject([{ code }]);
    });

    it('keeps the alternatives of a regex together', async () => {
      expect(await call('x-case=splitting')).toEqual([{ code: 0, reply: 'v1' }]);
    });

    it('treats a header that must not have a value as met when it is missing', async () => {
      expect(await call('x-case=without')).toEqual([{ code: 0, reply: 'v2' }]);
      expect(await call('x-case=without,x-other=2')).toEqual([{ code: 0, reply: 'v2' }]);
      expect(await call('x-case=without,x-other=1')).toEqual([{ code: 0, reply: 'v1' }]);
    });

    it('goes on with the endpoint that is left', async () => {
      const outcomes = await member.call('xds:///pair.default.svc.cluster.local:7070', ['--calls', '200']);
      expect(outcomes.filter(({ code }) => code !== 0)).toEqual([]);
      expect(outcomes.filter(({ reply }) => reply === 'dies')).toHaveLength(20);
      expect(outcomes.at(-1)).toEqual({ code: 0, reply: 'lives' });
    });

    it('takes a change under load, to a cluster that it has not seen, and no call fails', async () => {
      const running = member.call('xds:///moving:7070', ['--calls', '3000']);
      await until('calls', () => greeters.get('moving-v1')!.calls > 20);
      await mesh.apply(yaml(ports(), 'v2')); // Waits until the client has taken it.
      const outcomes = await running;
      expect(outcomes.filter(({ code, message }) => code !== 0 && !OWN_RACE.test(message ?? ''))).toEqual([]);
      expect(outcomes.at(-1)).toEqual({ code: 0, reply: 'v2' });
    });

    it('refused nothing', () => {
      expect(mesh.refusals()).toEqual([]);
    });
  });
}
