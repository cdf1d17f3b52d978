import { createServer } from 'node:http';
import { createMesh } from '@ripstop/node';
import { announce, instance, listenForControls, misbehave } from './controls.ts';

// node:http. v1 knows no ratings; v2 and v3 ask the ratings service, in other colours.
const version = process.env.RIPSTOP_VERSION ?? 'v1';
const mesh = createMesh();
listenForControls(mesh);

const server = createServer(async (request, response) => {
  const failure = await misbehave();
  let stars: number | undefined;
  if (version !== 'v1' && failure === undefined && request.url?.startsWith('/reviews')) {
    const answer = await mesh.fetch('http://ratings:9080/ratings/0');
    if (answer.ok) stars = ((await answer.json()) as { stars: number }).stars;
    else await answer.body?.cancel();
  }
  response.writeHead(failure ?? 200, { 'content-type': 'application/json', 'x-served-by': instance });
  response.end(
    JSON.stringify({
      servedBy: instance,
      attempt: request.headers['x-envoy-attempt-count'],
      reviews: ['An extremely entertaining play.', 'Absolutely fun and entertaining.'],
      ...(stars === undefined ? {} : { stars, color: version === 'v2' ? 'black' : 'red' }),
    }),
  );
});
announce(await mesh.listen(server, 9080), mesh);
