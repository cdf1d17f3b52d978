import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';

export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

export interface VirtualSocketInit {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** Runs in a later turn, in order: bytes take a moment, also in memory. */
  readonly later: (run: () => void) => void;
  /** True while packets between the two vanish. */
  readonly isSilent: () => boolean;
  /** True for the side that a server has accepted, as node:http wants it. */
  readonly allowHalfOpen: boolean;
}

/** One end of a connection in memory, with what the drivers use of a net.Socket. */
export class VirtualSocket extends Duplex {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily = 'IPv4';
  connecting: boolean;
  bytesRead = 0;
  bytesWritten = 0;
  readonly timeout = 0;
  private readonly later: (run: () => void) => void;
  private readonly isSilent: () => boolean;
  private peer: VirtualSocket | undefined;
  /** The other side's write that waits until this side reads. */
  private writeOfPeer: (() => void) | undefined;
  private reset = false;

  constructor({ local, remote, later, isSilent, allowHalfOpen }: VirtualSocketInit) {
    super({ allowHalfOpen, emitClose: true });
    this.localAddress = local.host;
    this.localPort = local.port;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
    this.later = later;
    this.isSilent = isSilent;
    this.connecting = !allowHalfOpen;
  }

  /** Joins both ends; the caller tells the client by `established`. */
  static join(one: VirtualSocket, other: VirtualSocket): void {
    one.peer = other;
    other.peer = one;
  }

  established(): void {
    this.connecting = false;
    this.emit('connect');
    this.emit('ready');
  }

  address(): AddressInfo {
    return { address: this.localAddress, port: this.localPort, family: 'IPv4' };
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** Ends with the last byte written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** The other side sees a reset instead of an end. */
  resetAndDestroy(): this {
    this.reset = true;
    return this.destroy();
  }

  override _read(): void {
    const resume = this.writeOfPeer;
    this.writeOfPeer = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.connecting) {
      this.once('connect', () => this._write(chunk, _encoding, done));
      return;
    }
    this.later(() => {
      const { peer } = this;
      if (this.isSilent()) {
        done(); // As far as the sender knows it is on its way.
        return;
      }
      if (peer === undefined || peer.destroyed || peer.readableEnded) {
        done(socketError('EPIPE', 'write'));
        return;
      }
      this.bytesWritten += chunk.length;
      peer.bytesRead += chunk.length;
      if (peer.push(chunk)) done();
      else peer.writeOfPeer = done;
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.connecting) {
      this.once('connect', () => this._final(done));
      return;
    }
    this.later(() => {
      this.endPeer();
      done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.later(() => {
      if (this.reset && !this.isSilent()) this.peer?.destroy(socketError('ECONNRESET', 'read'));
      else this.endPeer();
      const waiting = this.writeOfPeer;
      this.writeOfPeer = undefined;
      waiting?.();
    });
    done(error);
  }

  private endPeer(): void {
    const { peer } = this;
    if (peer === undefined || peer.destroyed || peer.ended || this.isSilent()) return;
    peer.ended = true;
    peer.push(null);
  }

  private ended = false;
}

/** As Node's own errors of sockets. */
export function socketError(code: 'EPIPE' | 'ECONNRESET' | 'ECONNREFUSED', syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}
