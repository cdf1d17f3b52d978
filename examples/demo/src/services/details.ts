import { meshPlugin } from '@ripstop/fastify';
import { createMesh } from '@ripstop/node';
import Fastify from 'fastify';
import { announce, instance, listenForControls, misbehave } from './controls.ts';

// The plugin way: the app listens by itself, the mesh stands in front of its server, request.mesh tells who calls.
const mesh = createMesh();
listenForControls(mesh);
const app = Fastify();
await app.register(meshPlugin, { mesh, port: 9080 });
app.get('/*', async (request, reply) => {
  const failure = await misbehave();
  reply.header('x-served-by', instance).code(failure ?? 200);
  return {
    servedBy: instance,
    caller: request.mesh.peer?.uriSans[0] ?? 'plaintext',
    callerCertificate: request.mesh.peer?.certificateHash ?? '',
    author: 'William Shakespeare',
    year: 1595,
    pages: 200,
  };
});
const address = await app.listen({ host: '127.0.0.1', port: 0 });
announce({ address: '127.0.0.1', port: Number(new URL(address).port) }, mesh);
