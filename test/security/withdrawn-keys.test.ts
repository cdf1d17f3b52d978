import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TokenMaker } from '../../packages/jwt/src/testing/token-maker.ts';
import { RawClient } from '../../packages/server/src/testing/raw-client.ts';
import { World } from './corpus/world.ts';

const old = new TokenMaker('RS256', 'k1');
const next = new TokenMaker('RS256', 'k2');
const namesake = new TokenMaker('RS256', 'k1');

/** An issuer with the keys of `makers`; a token of it is needed, and /closed is closed when the policy says so. */
const mesh = (makers: readonly TokenMaker[], closed = false): string => `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec: { jwtRules: [{ issuer: "https://issuer.test", jwks: '${JSON.stringify({ keys: makers.map(({ jwk }) => jwk) })}' }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: a-token }
spec: { rules: [{ from: [{ source: { requestPrincipals: ["*"] } }]${closed ? ', to: [{ operation: { notPaths: [/closed] } }]' : ''} }] }
`;

describe('a token that was verified, on a connection that stays', () => {
  let world: World;
  let client: RawClient;
  beforeAll(async () => {
    world = await World.start(mesh([old]), []);
    const app = createServer((_request, response) => void response.end('ok'));
    const { port } = await world.join('app').listen(app, 9080);
    await world.mesh.synced();
    client = await RawClient.open(port);
  });
  afterAll(async () => {
    client.close();
    await world[Symbol.asyncDispose]();
  });

  const claims = { iss: 'https://issuer.test', sub: 'anna', exp: Math.floor(Date.now() / 1000) + 3_600 };
  const tokens = { old: old.sign(claims), next: next.sign(claims), namesake: namesake.sign(claims) };
  const statusWith = async (token: string, path = '/'): Promise<number> =>
    (await client.get(path, `authorization: Bearer ${token}\r\n`)).status;

  it.each<[what: string, yaml: string, old: number, next: number, namesake: number]>([
    ['the first key', mesh([old]), 200, 401, 401],
    ['a second key beside it', mesh([old, next]), 200, 200, 401],
    ['the first key withdrawn', mesh([next]), 401, 200, 401],
    ['another key under its name', mesh([namesake, next]), 401, 200, 200],
    ['the first key back', mesh([old]), 200, 401, 401],
  ])('is judged by the keys in force: %s', async (_what, yaml, ...wanted) => {
    await world.mesh.apply(`${yaml}# ${_what}\n`);
    // Twice: the second time from what was verified before.
    for (let time = 0; time < 2; time++)
      expect([await statusWith(tokens.old), await statusWith(tokens.next), await statusWith(tokens.namesake)]).toEqual(wanted);
  });

  it('is judged by the policy in force', async () => {
    expect(await statusWith(tokens.old, '/closed')).toBe(200);
    await world.mesh.apply(mesh([old], true));
    expect([await statusWith(tokens.old, '/closed'), await statusWith(tokens.old)]).toEqual([403, 200]);
  });
});
