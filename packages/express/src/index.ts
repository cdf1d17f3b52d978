/** The mesh in a request of Express. Policies are enforced by `@ripstop/node` in front of the app. */

import { type Mesh, peerOf, mesh as sharedMesh } from '@ripstop/node';
import type { RequestHandler } from 'express';

/** What a handler sees of the mesh on `req.mesh`. */
export interface RequestMesh {
  readonly mesh: Mesh;
  /** The caller's connection: its SPIFFE id is `peer.uriSans[0]`; undefined outside a mesh listener (tests). */
  readonly peer: ReturnType<typeof peerOf>;
}

declare global {
  namespace Express {
    interface Request {
      mesh: RequestMesh;
    }
  }
}

/**
 * Adds `req.mesh`. It authorizes nothing: that happened in front of the app, in `mesh.listen(app, port)`, before any middleware or
 * route could run, whatever their order.
 */
export function meshMiddleware(mesh: Mesh = sharedMesh()): RequestHandler {
  return (request, _response, next) => {
    request.mesh = { mesh, peer: peerOf(request) };
    next();
  };
}
