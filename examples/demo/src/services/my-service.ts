import { createServer } from 'node:http';
import { createMesh } from '@ripstop/node';
import { announce, instance, listenForControls } from './controls.ts';

// The service of tour step 1: answers who it is.
const mesh = createMesh();
listenForControls(mesh);
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'x-served-by': instance });
  response.end(JSON.stringify({ servedBy: instance }));
});
announce(await mesh.listen(server, 8080), mesh);
