import { createServer } from 'node:http';
import { World } from '../corpus/world.ts';

/* A protected app in a process of its own, so that what an attacker costs is the server's and not the attacker's. */

await using world = await World.start(
  `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec: { jwtRules: [{ issuer: https://issuer.test, jwks: '{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}' }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }
`,
  [],
);
const app = createServer((_request, response) => void response.end('ok'));
const { port } = await world.join('app').listen(app, 9080);
await world.mesh.synced();
process.send!({ port });
process.on('message', () => {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  process.send!({ heapUsed, rss });
});
await new Promise((resolve) => process.once('disconnect', resolve));
