/**
 * The way in: looks at a connection's first bytes, does TLS by filter chain, and judges requests in front of the app's own server. What
 * is let in is decided by `core`; a gateway puts a forwarder in the app's place.
 */

export { type AppServer, isAppServer, readsHttp1 } from './app-server.ts';
export { BodyEncoder, type EncodedBody } from './body-encoder.ts';
export type { FindChains, ListenerChains } from './chain-choice.ts';
export type { ConnectionGateOptions } from './connection-gate.ts';
export type { Forwarder, ListenerParts } from './listener-parts.ts';
export {
  type BindAddress,
  type BindServer,
  type ListenerCloseOptions,
  MeshListener,
  type MeshListenerOptions,
} from './mesh-listener.ts';
export { type InboundPeer, peerOf } from './peer.ts';
export { Probes } from './probes.ts';
export type { StreamConnection } from './stream-connection.ts';
