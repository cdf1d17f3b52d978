import { compareDrawn } from './istiod/compare-drawn.ts';
import { gatewayApiMesh, randomMesh } from './istiod/mesh/random-mesh.ts';
import { streamMesh } from './istiod/mesh/stream-mesh.ts';

compareDrawn('random meshes', randomMesh, 300);
compareDrawn('random meshes of bytes', streamMesh, 100);
compareDrawn('random meshes of the Gateway API', gatewayApiMesh, 100);
