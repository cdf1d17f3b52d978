import {
  type BrotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type Gzip,
  type ZstdCompress,
} from 'node:zlib';
import type { ContentCoding } from '@ripstop/core';

/** Where encoded bytes go. */
export interface EncodedBody {
  /** False: no more for now. */
  write(chunk: Buffer): boolean;
  end(): void;
  /** Whoever writes the plain body may go on. */
  onDrain(): void;
}

/** Encodes a response body chunk by chunk: each one leaves at once, as a caller that reads a stream of events expects. */
export class BodyEncoder {
  readonly #stream: Gzip | BrotliCompress | ZstdCompress;
  readonly #flush: number;

  constructor(coding: ContentCoding, target: EncodedBody) {
    this.#stream = streamOf(coding);
    this.#flush =
      coding.name === 'gzip' ? constants.Z_SYNC_FLUSH : coding.name === 'br' ? constants.BROTLI_OPERATION_FLUSH : constants.ZSTD_e_flush;
    this.#stream.on('data', (chunk: Buffer) => {
      if (!target.write(chunk)) this.#stream.pause();
    });
    this.#stream.on('end', () => target.end());
    this.#stream.on('drain', () => target.onDrain());
    // An encoder fails only by its own settings, which were checked: the caller sees a body that breaks off.
    this.#stream.on('error', () => target.end());
  }

  write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    const more = (this.#stream.write as (...all: unknown[]) => boolean).call(this.#stream, chunk, encoding, callback);
    this.#stream.flush(this.#flush);
    return more;
  }

  end(chunk?: unknown, encoding?: unknown, callback?: unknown): void {
    (this.#stream.end as (...all: unknown[]) => void).call(this.#stream, chunk, encoding, callback);
  }

  /** The caller takes more. */
  resume(): void {
    this.#stream.resume();
  }

  destroy(): void {
    this.#stream.destroy();
  }
}

function streamOf(coding: ContentCoding): Gzip | BrotliCompress | ZstdCompress {
  switch (coding.name) {
    case 'gzip':
      return createGzip({ level: coding.level, windowBits: coding.windowBits, memLevel: coding.memoryLevel, strategy: coding.strategy });
    case 'br': {
      const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_MODE } = constants;
      const params = { [BROTLI_PARAM_QUALITY]: coding.quality, [BROTLI_PARAM_LGWIN]: coding.windowBits, [BROTLI_PARAM_MODE]: coding.mode };
      return createBrotliCompress({ params });
    }
    default:
      return createZstdCompress({
        params: { [constants.ZSTD_c_compressionLevel]: coding.level, [constants.ZSTD_c_checksumFlag]: coding.checksum ? 1 : 0 },
      });
  }
}
