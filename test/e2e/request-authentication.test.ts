import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { type ControlPlane, createControlPlane } from '@ripstop/control-plane';
import { createGateway, type Gateway } from '@ripstop/gateway';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const ISSUER = 'https://issuer.test';
const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const now = Math.floor(Date.now() / 1000);
const claims = { iss: ISSUER, sub: 'anna', aud: 'shop', exp: now + 600, groups: { main: ['staff', 'admin'] } };

function token(payload: object, { privateKey } = signer): string {
  const text = [{ alg: 'ES256', kid: 'k1' }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const mesh = (jwks: string): string => `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: greeter }
spec: { selector: { app: greeter }, ports: [{ name: grpc, port: 50051 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec: { hosts: ["*"], gateways: [edge], http: [{ directResponse: { status: 200 } }] }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: shop }
spec:
  jwtRules:
    - issuer: ${ISSUER}
      audiences: [shop]
      jwksUri: ${jwks}
      outputClaimToHeaders: [{ header: x-user, claim: sub }]
    - issuer: https://away.test
      jwksUri: ${jwks}/away
      fromHeaders: [{ name: x-away }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: members }
spec:
  selector: { matchLabels: { app: web } }
  rules:
    - from: [{ source: { requestPrincipals: ["${ISSUER}/*"] } }]
      to: [{ operation: { notPaths: [/admin] } }]
    - to: [{ operation: { paths: [/admin] } }]
      when: [{ key: "request.auth.claims[groups][main]", values: [admin] }]
    - to: [{ operation: { paths: [/open] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: greeters }
spec: { selector: { matchLabels: { app: greeter } }, rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }] }
`;

const raw = (bytes: Buffer): Buffer => bytes;
const greet: grpc.MethodDefinition<Buffer, Buffer> = {
  path: '/shop.Greeter/Greet',
  requestStream: false,
  responseStream: false,
  requestSerialize: raw,
  requestDeserialize: raw,
  responseSerialize: raw,
  responseDeserialize: raw,
};

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly challenge: string | null;
}

describe('RequestAuthentication, from the YAML and the issuer’s keys to the reply', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-jwt-'));
  const problems: string[] = [];
  const meshes: Mesh[] = [];
  let issuer: Server;
  let plane: ControlPlane;
  let gateway: Gateway;
  let greeter: grpc.Client;
  let base = '';
  let seen: { readonly url: string; readonly headers: IncomingHttpHeaders } | undefined;

  beforeAll(async () => {
    const jwks = JSON.stringify({ keys: [{ ...signer.publicKey.export({ format: 'jwk' }), kid: 'k1' }] });
    issuer = createServer(({ url }, response) => (url === '/keys' ? response.end(jwks) : response.writeHead(500).end()));
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    writeFileSync(join(dir, 'mesh.txt.yaml'), mesh(`http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`));
    plane = createControlPlane({
      source: dir,
      xds: '127.0.0.1:0',
      xdsTls: '',
      http: '',
      onEvent: (event) => event.type === 'problem' && problems.push(event.message),
    });
    await plane.start();
    const member = (options: Parameters<typeof createMesh>[0]): Mesh => {
      meshes.push(createMesh({ xds: `grpc://${plane.addresses.xds}`, admin: 'off', ...options }));
      return meshes.at(-1)!;
    };
    const web = await member({ service: 'web' }).listen(
      (request, response) => {
        seen = { url: request.url!, headers: request.headers };
        response.end('served');
      },
      9080,
      { bindPort: 0 },
    );
    base = `http://127.0.0.1:${web.port}`;
    gateway = createGateway({ mesh: member({ role: 'router', service: 'edge' }), ports: { 80: 0 } });
    await gateway.start();
    const server = new grpc.Server();
    server.addService(
      { Greet: greet },
      { Greet: (_call: unknown, reply: grpc.sendUnaryData<Buffer>) => reply(null, Buffer.from('hello')) },
    );
    const { port } = await member({ service: 'greeter' }).grpc.listen(server, 50051, { bindPort: 0 });
    greeter = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    await vi.waitFor(async () => expect((await ask('/open')).status).toBe(200), { timeout: 5_000 });
  });

  afterAll(async () => {
    greeter?.close();
    await gateway?.close({ drainMs: 0 });
    await Promise.all(meshes.map((each) => each.close({ drainMs: 0 })));
    await plane?.close();
    issuer?.close();
    rmSync(dir, { recursive: true });
  });

  async function ask(path: string, headers: Readonly<Record<string, string>> = {}, at = base): Promise<Answer> {
    const response = await fetch(at + path, { headers });
    return { status: response.status, body: await response.text(), challenge: response.headers.get('www-authenticate') };
  }
  const bearer = (text: string): { authorization: string } => ({ authorization: `Bearer ${text}` });

  it('lets a valid token in; the app sees the claim, and not the token', async () => {
    expect(await ask('/a', { ...bearer(token(claims)), 'x-user': 'eve' })).toMatchObject({ status: 200, body: 'served' });
    expect([seen?.headers['x-user'], seen?.headers.authorization]).toEqual(['anna', undefined]);
    expect(await ask(`/a?b=c&access_token=${token(claims)}`)).toMatchObject({ status: 200 });
    expect(seen?.url).toBe('/a?b=c');
  });

  it('without one only what policies leave open is served, and no caller writes the claim’s header', async () => {
    expect(await ask('/a')).toMatchObject({ status: 403, body: 'RBAC: access denied', challenge: null });
    expect(await ask('/open', { 'x-user': 'eve' })).toMatchObject({ status: 200 });
    expect(seen?.headers['x-user']).toBeUndefined();
  });

  it('asks for claims where a policy names them', async () => {
    expect(await ask('/admin', bearer(token(claims)))).toMatchObject({ status: 200 });
    expect(await ask('/admin', bearer(token({ ...claims, groups: { main: ['staff'] } })))).toMatchObject({ status: 403 });
    expect(await ask('/admin', bearer(token({ ...claims, groups: 'admin' })))).toMatchObject({ status: 403 });
  });

  it.each([
    ['expired', token({ ...claims, exp: now - 100 }), 401, 'Jwt is expired'],
    ['not valid yet', token({ ...claims, nbf: now + 100 }), 401, 'Jwt not yet valid'],
    ['of another issuer', token({ ...claims, iss: 'https://evil.test' }), 401, 'Jwt issuer is not configured'],
    ['for somebody else', token({ ...claims, aud: 'bank' }), 403, 'Audiences in Jwt are not allowed'],
    ['of another signer', token(claims, stranger), 401, 'Jwt verification fails'],
    ['cut short', token(claims).slice(0, -4), 401, 'Jwt verification fails'],
    ['nonsense', 'abc', 401, 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'],
  ])('refuses a token that is %s, where nothing else is asked as well', async (_what, text, status, body) => {
    const challenge = `Bearer realm="${base}/open", error="invalid_token"`;
    expect(await ask('/open', bearer(text))).toEqual({ status, body, challenge });
  });

  it('refuses tokens of an issuer whose keys cannot be fetched, and nobody else', async () => {
    expect(await ask('/open', { 'x-away': token({ ...claims, iss: 'https://away.test' }) })).toMatchObject({ status: 401 });
    expect(problems).toEqual([
      expect.stringMatching(/^keys of token issuer https:\/\/away\.test .*: status 500; requests with its tokens are/),
    ]);
  });

  it('stands in front of gateways', async () => {
    const { address, port } = gateway.addresses()[0]!;
    const at = `http://${address}:${port}`;
    const good = await ask('/', bearer(token(claims)), at);
    const bad = await ask('/', bearer('abc'), at);
    expect([good.status, bad.status, (await ask('/', {}, at)).status]).toEqual([200, 401, 200]);
  });

  it('stands in front of gRPC services', async () => {
    const call = (metadata: Readonly<Record<string, string>>): Promise<string> =>
      new Promise((resolve) => {
        const sent = grpc.Metadata.fromHttp2Headers(metadata);
        greeter.makeUnaryRequest(greet.path, raw, raw, Buffer.alloc(0), sent, (error, reply) =>
          resolve(error === null ? String(reply) : `${error.code} ${error.details}`),
        );
      });
    expect(await call(bearer(token(claims)))).toBe('hello');
    expect(await call({})).toBe('7 RBAC: access denied');
    expect(await call(bearer(token({ ...claims, exp: 1 })))).toBe('16 Jwt is expired');
    expect(await call(bearer(token({ ...claims, aud: 'bank' })))).toBe('7 Audiences in Jwt are not allowed');
  });
});
