import type { Exchange } from './exchange.ts';
import type { Outcome } from './outcome.ts';

/** Undoes a subscription. Calling it twice is harmless. */
export type Cancel = () => void;

/** A pending timer of a {@link Clock}. */
export interface Timer {
  cancel(): void;
}

/** Time as the data plane sees it. Tests pass a fake one; nothing in `core` reads the real one. */
export interface Clock {
  /** Monotonic milliseconds, with fractions. */
  now(): number;
  /** Milliseconds since the epoch. */
  wallTime(): number;
  /** Runs once after `delayMs`. A real clock's timer never keeps the process alive. */
  setTimer(run: () => void, delayMs: number): Timer;
}

/** A uniform draw from [0, 1). */
export type Random = () => number;

/** An X.509 SVID with its private key and the trust bundle that came with it. Lives in memory only. */
export interface Svid {
  readonly spiffeId: string;
  /** Counts rotations and trust-bundle changes; a connection made under an older generation is not reused for new identities. */
  readonly generation: number;
  /** PEM, leaf first, then intermediates. */
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  /** PEM of every trusted root. */
  readonly trustBundlePem: string;
  /** Hex, as `openssl x509 -serial` prints it. */
  readonly serialNumber: string;
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The workload's own identity. `current()` is undefined until the CA has issued the first certificate. */
export interface IdentitySource {
  current(): Svid | undefined;
  onRotate(run: (next: Svid) => void): Cancel;
}

/** One xDS resource as it came over the wire: the value of its Any. */
export interface RawResource {
  readonly name: string;
  readonly version: string;
  readonly body: Uint8Array;
  /** Other names that were asked for and mean this one. */
  readonly aliases?: readonly string[];
  /** It holds no longer than that without being confirmed; undefined: for ever. The source takes it back. */
  readonly ttlMs?: number;
}

/** A set of changes of one xDS type. */
export interface ConfigUpdate {
  readonly typeUrl: string;
  /** The response's version (`version_info` / `system_version_info`). */
  readonly version: string;
  readonly resources: readonly RawResource[];
  readonly removed: readonly string[];
  /** State of the world of a wildcard type: what is not in `resources` is gone. */
  readonly full: boolean;
}

/** Why one resource was refused. The source NACKs with all of them; the last good version of each stays in force. */
export interface Rejection {
  readonly typeUrl: string;
  readonly name: string;
  readonly reason: string;
}

/** A live subscription; names may change while it runs. */
export interface ConfigSubscription {
  /** Replaces the names wanted of one type. `'*'` is the wildcard (LDS and CDS only). */
  want(typeUrl: string, names: readonly string[] | '*'): void;
  close(): void;
}

/** Where configuration comes from: an ADS server, a folder of YAML translated in-process, a file, a test. */
export interface ConfigSource {
  /** `apply` is called with each update, in order, and answers what it refused. */
  subscribe(apply: (update: ConfigUpdate) => readonly Rejection[]): ConfigSubscription;
}

/** Observes exchanges. Methods must not throw. */
export interface TelemetrySink {
  /** The exchange exists, nothing was decided yet. May set headers on `x.request` (trace context, request id). */
  onStart(x: Exchange): void;
  /** Runs an app handler so that whatever it calls finds `x` as its parent exchange. */
  run<T>(x: Exchange, handler: () => T): T;
  /**
   * As `run`, at half its price, for the rest of a callback in which nothing follows but the app's handler: its context ends with it. False =
   * nothing was entered, `run` is needed.
   */
  enter?(x: Exchange): boolean;
  /** The inbound exchange whose handler is running now, if any. */
  current(): Exchange | undefined;
  /** Bytes of a connection are being carried; `soFar` tells how many. */
  onOpen?(x: Exchange, soFar: () => Outcome): void;
  /** The stream has ended; called exactly once per exchange. */
  onEnd(x: Exchange, outcome: Outcome): void;
}
