import { createServer } from 'node:http';
import grpc from '@grpc/grpc-js';
import { documents, service } from '../../interop/mesh/yaml.ts';
import { World } from '../corpus/world.ts';
import { BOMBS, bombFilter, bombRoutes, LARGE_BOMB } from './bombs.ts';
import { ECHO } from './echo.ts';

/*
 * A protected app in a process of its own, so that what an attacker costs is the server's and not the attacker's. `/out/…` makes it call
 * the service `next`, with a path that its caller chose.
 */

const PATTERNS = [...BOMBS, LARGE_BOMB].map(([pattern]) => pattern);
await using world = await World.start(
  documents(
    `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec: { jwtRules: [{ issuer: https://issuer.test, jwks: '{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}' }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/admin, "/{*}/admin/{**}"] } }] }] }
`,
    bombFilter(PATTERNS, 'app'),
    service('next', { port: 80, targetPort: 9080 }),
    bombRoutes(PATTERNS, 'next'),
  ),
  [],
);
const mesh = world.join('app');
const app = createServer(async (request, response) => {
  if (!request.url!.startsWith('/out/')) return void response.end('ok');
  const next = await mesh.fetch(`http://next${request.url!.slice('/out'.length)}`);
  response.writeHead(next.status).end(await next.text());
});
const { port } = await mesh.listen(app, 9080);
const grpcServer = new grpc.Server();
grpcServer.addService(ECHO, { Echo: (_call: unknown, respond: grpc.sendUnaryData<Buffer>) => respond(null, Buffer.alloc(0)) });
const { port: grpcPort } = await mesh.grpc.listen(grpcServer, 50_051);
await world.join('next').listen(
  createServer((_request, response) => void response.end('ok')),
  9080,
);
await world.mesh.synced();
process.send!({ port, grpcPort });
process.on('message', () => {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  process.send!({ heapUsed, rss });
});
await new Promise((resolve) => process.once('disconnect', resolve));
