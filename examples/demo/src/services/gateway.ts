import { createGateway } from '@ripstop/gateway';
import { createMesh } from '@ripstop/node';
import { announce, listenForControls } from './controls.ts';

// An ingress gateway: what `ripstop gateway` starts, with the demo's controls.
const mesh = createMesh({ role: 'router' });
listenForControls(mesh);
const port = Number(process.env.DEMO_GATEWAY_PORT ?? 8080);
const gateway = createGateway({ mesh, bindHost: '127.0.0.1', ports: { 8080: port } });
await gateway.start();
announce({ address: '127.0.0.1', port }, mesh);
