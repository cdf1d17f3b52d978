import { createMesh } from '@ripstop/node';
import Fastify from 'fastify';
import { announce, instance, listenForControls, misbehave } from './controls.ts';

const mesh = createMesh();
listenForControls(mesh);
const app = Fastify();
app.get('/*', async (request, reply) => {
  const failure = await misbehave();
  reply.header('x-served-by', instance).code(failure ?? 200);
  return { servedBy: instance, attempt: request.headers['x-envoy-attempt-count'], stars: 5 };
});
announce(await mesh.listen(app, 9080), mesh);
