import { meshMiddleware } from '@ripstop/express';
import { createMesh } from '@ripstop/node';
import express from 'express';
import { announce, instance, listenForControls, misbehave } from './controls.ts';

// Express 5. Forwards no header by itself: end-user is its own business, trace context is the mesh's.
const mesh = createMesh();
listenForControls(mesh);
const app = express();
app.use(meshMiddleware(mesh));

app.get('/whoami', (request, response) => {
  response.set('x-served-by', instance).json({
    servedBy: instance,
    caller: request.mesh.peer?.uriSans[0] ?? 'plaintext',
    callerCertificate: request.mesh.peer?.certificateHash ?? '',
  });
});

app.get('/productpage', async (request, response) => {
  const failure = await misbehave();
  const user = request.get('end-user');
  const headers: Record<string, string> = user === undefined ? {} : { 'end-user': user };
  const [details, reviews] = await Promise.all([
    mesh.fetch('http://details:9080/details/0', { headers }),
    mesh.fetch('http://reviews:9080/reviews/0', { headers }),
  ]);
  const status = failure ?? (details.ok && reviews.ok ? 200 : 502);
  response
    .status(status)
    .set('x-served-by', instance)
    .json({
      servedBy: instance,
      details: details.ok ? await details.json() : { error: details.status, body: await details.text() },
      reviews: reviews.ok ? await reviews.json() : { error: reviews.status, body: await reviews.text() },
    });
});
announce(await mesh.listen(app, 9080), mesh);
