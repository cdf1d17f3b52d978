import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CreateMeshOptions, createMesh, type Mesh } from '@ripstop/node';
import { afterEach } from 'vitest';

/** Folders of configuration, with the meshes and servers that live by them. A test leaves none behind. */
export class FolderMeshes {
  private readonly meshes: Mesh[] = [];
  private readonly servers: Server[] = [];
  private readonly dirs: string[] = [];

  constructor() {
    afterEach(() => this.end());
  }

  /** A folder, with `all.yaml` of this text. */
  folder(yaml?: string): string {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-e2e-'));
    this.dirs.push(dir);
    if (yaml !== undefined) writeFileSync(join(dir, 'all.yaml'), yaml);
    return dir;
  }

  /** A member that is configured by a folder. */
  member(dir: string, options: CreateMeshOptions): Mesh {
    const mesh = createMesh({ config: `file:${dir}`, admin: 'off', ...options });
    this.meshes.push(mesh);
    return mesh;
  }

  /** The port of a server outside the mesh. */
  async outside(server: Server): Promise<number> {
    this.servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  private async end(): Promise<void> {
    await Promise.all(this.meshes.splice(0).map((mesh) => mesh.close({ drainMs: 0 })));
    for (const server of this.servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
    for (const dir of this.dirs.splice(0)) rmSync(dir, { recursive: true });
  }
}

/** The Service `web` on 9080, and its one instance on this machine. */
export const webAt = (port: number): string => `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-1 }
spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: web } }
`;
