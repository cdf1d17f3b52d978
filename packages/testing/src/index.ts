/** A whole mesh for tests: real translation, compilation and drivers, with time, chance and network in memory. */

export { seededRandom } from './seeded-random.ts';
export { VirtualClock } from './virtual-clock.ts';
export { createVirtualMesh, VirtualMesh, type VirtualMeshOptions, type VirtualService } from './virtual-mesh.ts';
export { VirtualNetwork } from './virtual-network.ts';
export type { SocketAddress } from './virtual-socket.ts';
export { VirtualTime, type VirtualTimeOptions } from './virtual-time.ts';
