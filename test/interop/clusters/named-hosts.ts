import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nameOf } from '../../clusters/cluster-json.ts';

/** Hosts that say their name, on ports of their own. */
export class NamedHosts implements AsyncDisposable {
  private readonly servers: readonly Server[];

  private constructor(servers: readonly Server[]) {
    this.servers = servers;
  }

  static async start(count: number, address = '127.0.0.1'): Promise<NamedHosts> {
    const servers = Array.from({ length: count }, (_none, index) => createServer((_request, response) => response.end(nameOf(index))));
    for (const server of servers) await new Promise<void>((resolve) => server.listen(0, address, resolve));
    return new NamedHosts(servers);
  }

  get ports(): readonly number[] {
    return this.servers.map((server) => (server.address() as AddressInfo).port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}
