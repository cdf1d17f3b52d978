/** Smaller buffers are not worth keeping. */
const SMALLEST = 128 * 1024;
const KEPT_BYTES = 16 * 1024 * 1024;

/** Large buffers that are used again: full sets for many clients would otherwise set off one full collection after another. */
export class BytePool {
  private readonly free = new Map<number, Buffer[]>();
  private bytes = 0;

  take(length: number): Buffer {
    if (length < SMALLEST) return Buffer.allocUnsafe(length);
    const size = sizeFor(length);
    const known = this.free.get(size)?.pop();
    if (known !== undefined) this.bytes -= size;
    return (known ?? Buffer.allocUnsafeSlow(size)).subarray(0, length);
  }

  /** Nobody looks at it any more. */
  give(buffer: Buffer): void {
    const size = buffer.buffer.byteLength;
    if (buffer.length < SMALLEST || sizeFor(buffer.length) !== size || this.bytes + size > KEPT_BYTES) return;
    this.bytes += size;
    const list = this.free.get(size) ?? [];
    list.push(Buffer.from(buffer.buffer));
    this.free.set(size, list);
  }
}

function sizeFor(length: number): number {
  return 2 ** Math.ceil(Math.log2(length));
}
