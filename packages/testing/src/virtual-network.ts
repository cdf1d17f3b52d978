import type { EventEmitter } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { type SocketAddress, socketError, VirtualSocket } from './virtual-socket.ts';

const FIRST_FREE_PORT = 30_000;

/** A network in memory: servers stand at addresses, connections are pairs of streams. No socket of the machine is opened. */
export class VirtualNetwork {
  private readonly servers = new Map<string, EventEmitter>();
  private readonly silent = new Set<string>();
  private readonly open = new Set<VirtualSocket>();
  private readonly queue: (() => void)[] = [];
  private events = 0;
  private nextPort = FIRST_FREE_PORT;

  /** Counts everything that happens on it: a sign of life. */
  get activity(): number {
    return this.events;
  }

  /** Puts a server at an address; port 0 = any free one. The server's own `listen` is not called. */
  async listen(server: EventEmitter, { host, port }: SocketAddress): Promise<AddressInfo> {
    const bound = port === 0 ? this.nextPort++ : port;
    const key = `${host}:${bound}`;
    if (this.servers.has(key)) throw new Error(`cannot listen on ${key}: something else listens there; name another port`);
    this.servers.set(key, server);
    return { address: host, port: bound, family: 'IPv4' };
  }

  /** Nobody listens there any more: connections are refused. Those that are open stay. */
  unlisten({ host, port }: SocketAddress): void {
    this.servers.delete(`${host}:${port}`);
  }

  /** Packets to and from this address vanish: who connects waits, and so does who is connected. `false` brings it back. */
  blackhole({ host, port }: SocketAddress, on = true): void {
    if (on) this.silent.add(`${host}:${port}`);
    else this.silent.delete(`${host}:${port}`);
  }

  /** As `net.connect`; `from` is the caller's address. */
  readonly connect = ({ host, port }: SocketAddress, from = '127.0.0.1'): Socket => {
    const local = { host: from, port: this.nextPort++ };
    const remote = { host, port };
    const { later } = this;
    const isSilent = (): boolean => this.silent.has(key);
    const key = `${host}:${port}`;
    const client = new VirtualSocket({ local, remote, later, isSilent, allowHalfOpen: false });
    this.keep(client);
    this.later(() => {
      if (client.destroyed || isSilent()) return;
      const server = this.servers.get(key);
      if (server === undefined) {
        client.destroy(socketError('ECONNREFUSED', `connect ${key}`));
        return;
      }
      const accepted = new VirtualSocket({ local: remote, remote: local, later, isSilent, allowHalfOpen: true });
      this.keep(accepted);
      VirtualSocket.join(client, accepted);
      server.emit('connection', accepted);
      client.established();
    });
    return client as unknown as Socket;
  };

  /** Ends every connection and forgets every server. */
  close(): void {
    this.servers.clear();
    for (const socket of this.open) socket.destroy();
  }

  private keep(socket: VirtualSocket): void {
    this.open.add(socket);
    socket.once('close', () => {
      this.events++;
      this.open.delete(socket);
    });
  }

  private readonly later = (run: () => void): void => {
    this.events++;
    if (this.queue.push(run) === 1) setImmediate(this.flush);
  };

  private readonly flush = (): void => {
    for (const run of this.queue.splice(0)) run();
  };
}
