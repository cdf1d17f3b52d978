export type { ConnectionGateOptions } from './connection-gate.ts';
export type { FindChains, ListenerChains } from './inbound-connection.ts';
export type { Forwarder, ListenerParts } from './listener-parts.ts';
export { type AppServer, type BindServer, type ListenerCloseOptions, MeshListener, type MeshListenerOptions } from './mesh-listener.ts';
export { type InboundPeer, peerOf } from './peer.ts';
