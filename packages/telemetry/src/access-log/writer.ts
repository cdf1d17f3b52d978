import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';

const FLUSH_BYTES = 64 * 1024;

/**
 * Lines gathered within one turn of the event loop are written at once. When the reader is slow, lines are dropped and counted. A file that
 * cannot be written is told once, and its lines are lost: a log is no reason for an app to end.
 */
export class LogWriter {
  dropped = 0;
  private readonly stream: Writable;
  private pending = '';
  private scheduled = false;
  private readonly owned: boolean;

  constructor(path: string, log: (line: string) => void) {
    this.owned = path !== '/dev/stdout' && path !== '/dev/stderr';
    this.stream =
      path === '/dev/stdout' ? process.stdout : path === '/dev/stderr' ? process.stderr : createWriteStream(path, { flags: 'a' });
    if (this.owned) this.stream.on('error', (error) => log(`the access log ${path} cannot be written: ${error.message}`));
  }

  write(line: string): void {
    if (this.stream.writableLength > 64 * FLUSH_BYTES || !this.stream.writable) {
      this.dropped++;
      return;
    }
    this.pending += line;
    if (this.pending.length >= FLUSH_BYTES) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => this.flush());
    }
  }

  flush(): void {
    this.scheduled = false;
    if (this.pending === '') return;
    this.stream.write(this.pending);
    this.pending = '';
  }

  close(): void {
    this.flush();
    if (this.owned) this.stream.end();
  }
}
