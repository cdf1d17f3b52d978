/** A request of more bytes names hundreds: it is read when its client has its turn, and not anew for each client that sends the same. */
export const LARGE_REQUEST_BYTES: number = 8 * 1024;
/** What is larger is not kept. */
const MAX_KEPT_BYTES = 512 * 1024;
const MAX_KEPT = 8;

interface Known<Request> {
  readonly bytes: Buffer;
  readonly request: Request;
}

/**
 * Decodes the requests of all clients. Those that are told the same ask for the same names in the same bytes (an Envoy sorts them), and
 * get the very same message, which nobody may change.
 */
export class RequestReader<Request> {
  private readonly decode: (bytes: Uint8Array) => Request;
  /** The last one that came first. */
  private known: readonly Known<Request>[] = [];

  constructor(decode: (bytes: Uint8Array) => Request) {
    this.decode = decode;
  }

  /** Throws when it is no such message. */
  read(bytes: Buffer): Request {
    if (bytes.length <= LARGE_REQUEST_BYTES || bytes.length > MAX_KEPT_BYTES) return this.decode(bytes);
    const known = this.known.find((one) => one.bytes.equals(bytes));
    const found = known ?? { bytes: Buffer.from(bytes), request: this.decode(bytes) };
    if (found !== this.known[0]) this.known = [found, ...this.known.filter((one) => one !== found)].slice(0, MAX_KEPT);
    return found.request;
  }
}
