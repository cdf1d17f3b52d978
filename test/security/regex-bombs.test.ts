import { createServer } from 'node:http';
import type { Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from '../../packages/server/src/testing/raw-client.ts';
import { TestMesh } from '../interop/mesh/test-mesh.ts';
import { documents, service } from '../interop/mesh/yaml.ts';
import { until } from '../interop/until.ts';
import { World } from './corpus/world.ts';
import { BOMBS, bombFilter, bombRoutes, LARGE_BOMB } from './floods/bombs.ts';

/* What a tenant may write into patterns, and what a caller may then send. V8's own engine would need longer than the universe has. */

const ALL = [...BOMBS, LARGE_BOMB];
const PATTERNS = ALL.map(([pattern]) => pattern);
/** One after the other, on a machine that others load; with an engine that backtracks none would end. */
const PATIENCE_MS = 2_000;

const TEMPLATES = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: templates, namespace: default }
spec:
  selector: { matchLabels: { app: app } }
  action: DENY
  rules: [{ to: [{ operation: { paths: ["/{*}${'/{*}'.repeat(30)}/{**}", "/t/{*}/{**}"] } }] }]
`;

describe('patterns that explode', () => {
  let world: World;
  let caller: Mesh;
  let port: number;

  beforeAll(async () => {
    world = await World.start(
      documents(TEMPLATES, bombFilter(PATTERNS, 'app'), service('app', { port: 80, targetPort: 9080 }), bombRoutes(PATTERNS, 'app')),
      [],
    );
    const app = createServer((_request, response) => void response.end('ok'));
    ({ port } = await world.join('app').listen(app, 9080));
    caller = world.join('caller');
    await caller.ready();
    await world.mesh.synced();
    await until('the app answers', async () => (await caller.fetch('http://app/')).status === 200);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const ask = async (path: string, headers = ''): Promise<{ readonly status: number; readonly body: string }> => {
    const started = performance.now();
    const client = await RawClient.open(port);
    try {
      return await client.get(path, headers);
    } finally {
      client.close();
      expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
    }
  };

  it.each(BOMBS.map(([pattern, text], index) => [pattern, text, index] as const))(
    'in a safe_regex of an EnvoyFilter, %s is judged in linear time',
    async (_pattern, text, index) => {
      expect((await ask('/', `x-bomb-${index}: ${text}\r\n`)).status).toBe(200);
      expect((await ask('/', `x-bomb-${index}: ${text.replace(/!$/, '').slice(0, 200)}${matching(index)}\r\n`)).status).toBe(403);
    },
  );

  it('a text too long for a large pattern is refused, not read and not let through', async () => {
    const [, text] = LARGE_BOMB;
    const reply = await ask('/', `x-bomb-${BOMBS.length}: ${text}\r\n`);
    expect(reply).toMatchObject({ status: 500, body: 'a filter of the mesh failed' });
    expect((await ask('/', `x-bomb-${BOMBS.length}: aaaa\r\n`)).status).toBe(200);
  });

  it('path templates are judged in linear time', async () => {
    expect((await ask(`/t${'/x'.repeat(3_000)}`)).status).toBe(403);
    expect((await ask(`/t${'/'.repeat(3_000)}`)).status).toBe(200);
    expect((await ask(`/${'x'.repeat(8_000)}`)).status).toBe(200);
  });

  it.each(BOMBS.map(([pattern, text], index) => [pattern, text, index] as const))(
    'in a match of a VirtualService, %s is judged in linear time',
    async (_pattern, text, index) => {
      const started = performance.now();
      expect((await caller.fetch(`http://app/${index}/${text}`)).status).toBe(200);
      expect((await caller.fetch(`http://app/${index}/${text.replace(/!$/, '').slice(0, 200)}${matching(index)}`)).status).toBe(418);
      expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
    },
  );

  it('a path too long for a large pattern of a route is answered by the mesh', async () => {
    const started = performance.now();
    const reply = await caller.fetch(`http://app/${BOMBS.length}/${LARGE_BOMB[1]}`);
    expect([reply.status, await reply.text()]).toEqual([500, 'a filter of the mesh failed']);
    expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
  });
});

/** What has to follow so that pattern number `index` takes the text. */
function matching(index: number): string {
  return ['', '', 'b', '7'][index]!;
}

describe('a pattern that is too large', () => {
  const policy = (value: string): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: admin, namespace: default }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [${value}] } }] }] }
`;
  const virtualService = (regex: string): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app, namespace: default }
spec: { hosts: [app], http: [{ match: [{ uri: { regex: "${regex}" } }], route: [{ destination: { host: app } }] }] }
`;

  it.each([
    ['longer than Istio takes', 'a'.repeat(1_025)],
    ['that repeats what repeats', '((a{100}){100}){100}'],
    ['that repeats too often', 'a{5000}'],
    ['that no RE2 has', '(?=a)(a+)+'],
  ])('%s is refused where it is written', async (_what, regex) => {
    await using mesh = await TestMesh.start(documents(service('app'), virtualService(regex)), ['RIPSTOP_BAD_REGEX']);
    expect(mesh.controlPlane.findings).toEqual([
      expect.objectContaining({ code: 'RIPSTOP_BAD_REGEX', severity: 'error', path: 'spec.http[0].match[0].uri.regex' }),
    ]);
  });

  it('and reaches the data plane all the same by an EnvoyFilter is refused there, and what was in force stays', async () => {
    await using world = await World.start(documents(policy('/admin'), service('app', { port: 80, targetPort: 9080 })), []);
    const app = createServer((_request, response) => void response.end('ok'));
    const { port } = await world.join('app').listen(app, 9080);
    await world.mesh.synced();
    const statusOf = async (path: string): Promise<number> => {
      const client = await RawClient.open(port);
      const { status } = await client.get(path);
      client.close();
      return status;
    };
    expect([await statusOf('/admin'), await statusOf('/')]).toEqual([403, 200]);
    const huge = `(?:${'abcdefg.'.repeat(5_000)})`;
    await expect(
      world.mesh.apply(documents(policy('/'), bombFilter([huge], 'app'), service('app', { port: 80, targetPort: 9080 }))),
    ).rejects.toThrow(/program of \d+ instructions; at most 32768 are taken/);
    expect([await statusOf('/admin'), await statusOf('/')]).toEqual([403, 200]);
  });
});
