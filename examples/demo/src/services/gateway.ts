import { createGateway } from '@ripstop/gateway';
import { createMesh } from '@ripstop/node';
import { announce, listenForControls } from './controls.ts';

// An ingress gateway: what `ripstop gateway` starts, with the demo's controls.
const mesh = createMesh({ role: 'router' });
listenForControls(mesh);
const gateway = createGateway({ mesh, bindHost: '127.0.0.1', ports: { 8080: Number(process.env.DEMO_GATEWAY_PORT ?? 0) } });
await gateway.start();
const [address] = gateway.addresses();
announce(address ?? { address: '127.0.0.1', port: Number(process.env.DEMO_GATEWAY_PORT) }, mesh);
