import type { Exchange } from './exchange.ts';
import type { Clock, Timer } from './ports.ts';

/** The bytes of a request's body that are here already. */
export interface BodyStart {
  readonly bytes: Uint8Array;
  /** Nothing comes after them. */
  readonly complete: boolean;
}

/** A request's body before anybody has read it; the app or the upstream still gets all of it. Drivers implement it over their own streams. */
export interface RequestBody {
  /** Resolves when more than `bytes` are here, or all there is. Undefined: this driver cannot look into bodies, or the request is over. */
  read(bytes: number): Promise<BodyStart | undefined>;
}

/** A body that a driver cannot look into. */
export const UNREADABLE_BODY: RequestBody = { read: () => Promise.resolve(undefined) };

/** How long a caller may send nothing of a body that filters wait for: the route's idle timeout, else the connection manager's; 0 = for ever. */
export function bodyIdleMs({ route, manager }: Exchange): number {
  const ofRoute = route?.action.kind === 'forward' ? route.action.idleTimeoutMs : 0;
  return ofRoute > 0 ? ofRoute : manager.streamIdleTimeoutMs;
}

export interface BodyWaitOptions {
  readonly clock: Clock;
  /** See {@link bodyIdleMs}. */
  readonly idleMs: number;
  readonly onIdle: () => void;
}

/** A filter that waits for the start of a body. Whoever reads it tells of every piece, and of the end. */
export class BodyWait {
  /** More than so many bytes are wanted. */
  readonly limit: number;
  readonly start: Promise<BodyStart | undefined>;
  private readonly options: BodyWaitOptions;
  private resolve: (start: BodyStart | undefined) => void = () => {};
  private timer: Timer | undefined;

  constructor(limit: number, options: BodyWaitOptions) {
    this.limit = limit;
    this.options = options;
    this.start = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.touch();
  }

  /** Something came: the idle time begins again. */
  touch(): void {
    const { clock, idleMs, onIdle } = this.options;
    this.timer?.cancel();
    if (idleMs > 0) this.timer = clock.setTimer(onIdle, idleMs);
  }

  /** Undefined: nobody needs it any more. Only the first call counts. */
  end(start: BodyStart | undefined): void {
    this.timer?.cancel();
    this.resolve(start);
  }
}
