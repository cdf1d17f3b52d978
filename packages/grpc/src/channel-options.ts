import grpc from '@grpc/grpc-js';
import { DeadlineQueues, ProcessHold } from '@ripstop/core';
import type { CallEnvironment } from './call-environment.ts';
import { type ClientOptions, EndpointChannels } from './endpoint-channels.ts';
import type { GrpcParts } from './grpc-parts.ts';
import { MeshChannel } from './mesh-channel.ts';
import { MeshCredentials } from './mesh-credentials.ts';
import { parseMeshTarget } from './mesh-target.ts';

/** Options that make a grpc-js client one of the mesh: `new Greeter(meshTarget('greeter', 50051), meshCredentials(), options)`. */
export interface GrpcChannelOptions {
  readonly channelFactoryOverride: NonNullable<grpc.ClientOptions['channelFactoryOverride']>;
}

/** Options that would do again what the mesh does, or that make no sense per endpoint. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  'channelFactoryOverride',
  'channelOverride',
  'grpc.service_config',
  'grpc.default_authority',
]);

/**
 * Makes channel options of a mesh. Clients made with the same options object share connections; those are closed when the last of
 * these clients is.
 */
export function createGrpcChannelOptions(parts: GrpcParts): GrpcChannelOptions {
  const { pipeline, clock, random, telemetry } = parts;
  const walk = { pipeline, clock, random, telemetry, deadlines: new DeadlineQueues(clock), hold: new ProcessHold() };
  const env: CallEnvironment = { parts, walk, channels: new EndpointChannels(parts), nextCallNumber: 0 };
  let open = 0;
  const onClose = (): void => {
    if (--open === 0) env.channels.close();
  };
  return {
    channelFactoryOverride: (address, credentials, options) => {
      // TLS of the app's own is opaque to the mesh, as to a sidecar.
      if (credentials._isSecure() && !(credentials instanceof MeshCredentials)) return new grpc.Channel(address, credentials, options);
      const target = parseMeshTarget(address);
      const defaultAuthority = options['grpc.default_authority'] ?? target.authority;
      const callCredentials = credentials instanceof MeshCredentials ? credentials.callCredentials : undefined;
      open++;
      return new MeshChannel(env, address, { target, defaultAuthority }, clientOptions(options), callCredentials, onClose);
    },
  };
}

function clientOptions(options: grpc.ClientOptions): ClientOptions {
  const entries = Object.entries(options).filter(([name]) => !NOT_PASSED_ON.has(name));
  entries.sort(([one], [other]) => (one < other ? -1 : 1));
  return { values: Object.fromEntries(entries) as grpc.ChannelOptions, text: JSON.stringify(entries) };
}
