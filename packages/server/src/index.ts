export { BodyEncoder, type EncodedBody } from './body-encoder.ts';
export type { FindChains, ListenerChains } from './chain-choice.ts';
export type { ConnectionGateOptions } from './connection-gate.ts';
export type { Forwarder, ListenerParts } from './listener-parts.ts';
export {
  type AppServer,
  type BindAddress,
  type BindServer,
  type ListenerCloseOptions,
  MeshListener,
  type MeshListenerOptions,
} from './mesh-listener.ts';
export { type InboundPeer, peerOf } from './peer.ts';
export { Probes } from './probes.ts';
export type { StreamConnection } from './stream-connection.ts';
