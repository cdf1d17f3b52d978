/** The mesh in front of a Fastify app, and in its requests. */

import type { Server } from 'node:net';
import { isAppServer, type Mesh, peerOf, routerTraits, mesh as sharedMesh } from '@ripstop/node';
import type { FastifyPluginAsync } from 'fastify';
import plugin from 'fastify-plugin';

/** What a handler sees of the mesh on `request.mesh`. */
export interface RequestMesh {
  readonly mesh: Mesh;
  /** The caller's connection: its SPIFFE id is `peer.uriSans[0]`; undefined under `app.inject()`. */
  readonly peer: ReturnType<typeof peerOf>;
}

declare module 'fastify' {
  interface FastifyInstance {
    mesh: Mesh;
  }
  interface FastifyRequest {
    readonly mesh: RequestMesh;
  }
}

export interface MeshPluginOptions {
  readonly mesh?: Mesh;
  /** Workload port that this app serves: what Services name as targetPort. */
  readonly port: number;
  /** Port name for Services that name their targetPort. Default `http`. */
  readonly name?: string;
  /** Paths of health checks that are answered without mutual TLS, as `probes` of `mesh.listen`. */
  readonly probes?: readonly string[];
}

const meshPluginAsync: FastifyPluginAsync<MeshPluginOptions> = async (app, { mesh = sharedMesh(), port, name = 'http', probes }) => {
  await mesh.ready();
  app.decorate('mesh', mesh);
  app.decorateRequest('mesh', {
    getter() {
      return { mesh, peer: peerOf(this.raw) };
    },
  });
  // Armed before the app listens: no request can come before the guard stands.
  if (!isAppServer(app.server))
    throw new TypeError('the server of this Fastify instance (serverFactory) is none of node:http, node:https or node:http2');
  mesh.protect(app.server, port, routerTraits(app), probes);
  bindOneAddress(app.server);
  app.addHook('onListen', async () => {
    const address = app.server.address();
    if (typeof address === 'object' && address !== null) mesh.announce(port, name, address.port);
  });
  app.addHook('preClose', async () => {
    await mesh.close();
  });
};

/**
 * For each further address of `localhost` Fastify makes a server of its own, with the app's handler and without a guard: whoever calls
 * `[::1]` would pass the mesh by. It looks the name up again after the first server listens, in these options.
 */
function bindOneAddress(server: Server): void {
  const listen = server.listen as (...args: unknown[]) => Server;
  server.listen = ((...args: unknown[]) => {
    const [options] = args;
    if (typeof options === 'object' && options !== null && 'host' in options && options.host === 'localhost') options.host = '127.0.0.1';
    return listen.apply(server, args);
  }) as Server['listen'];
}

/** The Fastify plugin: `await app.register(meshPlugin, { port: 9080 })`, then `app.listen` as always. */
export const meshPlugin: FastifyPluginAsync<MeshPluginOptions> = plugin(meshPluginAsync, { name: '@ripstop/fastify', fastify: '5.x' });
export default meshPlugin;
