import type { Exchange } from './exchange.ts';
import type { Filter } from './filter.ts';
import { type LocalReply, localReply } from './local-reply.ts';
import type { Outcome } from './outcome.ts';

/** Filters that judge a connection of requests before the first one (Envoy's network filters in front of the connection manager). */
export interface Admission {
  /** Of their configuration: who was let in by another one comes again. */
  readonly key: string;
  readonly filters: readonly Filter[];
}

const FILTER_FAILED: LocalReply = localReply({ status: 500, details: 'ripstop_filter_failed' });

/** Asks filters about one connection, in order, and tells them of its end. */
export class ConnectionAdmission {
  readonly #filters: readonly Filter[];
  readonly #x: Exchange;
  readonly #tell: (line: string) => void;
  /** How many were asked; only they hear of the end. */
  #asked = 0;

  /** `tell`: of a filter that failed. */
  constructor(filters: readonly Filter[], x: Exchange, tell: (line: string) => void) {
    this.#filters = filters;
    this.#x = x;
    this.#tell = tell;
  }

  /** `done` is called once, at once where no filter waits; undefined = all let it pass. */
  judge(done: (denied: LocalReply | undefined) => void): void {
    while (this.#asked < this.#filters.length) {
      const verdict = this.#ask(this.#filters[this.#asked++]!);
      if (verdict instanceof Promise) {
        verdict
          .catch((error: unknown) => this.#failed(error))
          .then((denied) => {
            if (denied === undefined) this.judge(done);
            else done(denied);
          });
        return;
      }
      if (verdict !== undefined) {
        done(verdict);
        return;
      }
    }
    done(undefined);
  }

  end(outcome: Outcome): void {
    for (const filter of this.#filters.slice(0, this.#asked)) {
      try {
        filter.onEnd?.(this.#x, outcome);
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#asked = 0;
  }

  #ask(filter: Filter): LocalReply | undefined | Promise<LocalReply | undefined> {
    try {
      return filter.onRequest?.(this.#x);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): LocalReply {
    const { address, port } = this.#x.peer;
    this.#tell(`TCP ${address}:${port}: ${error instanceof Error ? error.message : String(error)}`);
    return FILTER_FAILED;
  }
}
