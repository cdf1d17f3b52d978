import { Duplex } from 'node:stream';

/** About a dozen request heads. */
const PIECE_BYTES = 1_024;

/**
 * The socket of a suspect, read a little at a time with everybody else in between. node:http2 makes streams of all that one read brings,
 * 64 KiB and a thousand streams, before anybody can count them.
 */
export class MeteredSocket extends Duplex {
  private readonly source: Duplex;
  private wanted = false;
  private paused = false;

  constructor(source: Duplex) {
    super();
    this.source = source;
    source.on('readable', () => this.readPiece());
    source.once('end', () => this.push(null));
    source.once('close', () => this.destroy());
    source.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.wanted = true;
    this.readPiece();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.source.write(chunk, encoding, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.source.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.source.destroy();
    done(error);
  }

  private readPiece(): void {
    if (!this.wanted || this.paused) return;
    const { readableLength } = this.source;
    const piece = this.source.read(readableLength === 0 ? undefined : Math.min(readableLength, PIECE_BYTES)) as Buffer | null;
    if (piece === null) return;
    this.wanted = false;
    this.paused = true;
    setImmediate(() => {
      this.paused = false;
      this.readPiece();
    });
    this.push(piece);
  }
}
