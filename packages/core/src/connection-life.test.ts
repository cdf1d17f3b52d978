import { describe, expect, it } from 'vitest';
import { CONNECTION_LIMITS, ConnectionLife, type ConnectionLimits } from './connection-life.ts';
import { FakeClock } from './testing/fakes.ts';

/** A connection that tells what was done to it, and when. */
class Connection {
  readonly clock = new FakeClock();
  readonly done: string[] = [];
  readonly life: ConnectionLife;
  active = 0;
  bytesRead: number | undefined = 0;

  constructor(limits: Partial<ConnectionLimits>) {
    this.life = new ConnectionLife({ ...CONNECTION_LIMITS, ...limits }, this.clock, this);
  }

  begin(): void {
    this.bytesRead = (this.bytesRead ?? 0) + 100;
    this.active++;
    this.life.onRequest();
  }

  end(): void {
    this.active--;
    if (this.active === 0) this.life.onIdle();
  }

  drain(): void {
    this.done.push(`drain ${this.clock.now()}`);
  }

  retire(): void {
    this.done.push(`retire ${this.clock.now()}`);
    this.life.close();
  }

  wait(ms: number): string[] {
    for (let left = ms; left > 0; left -= 100) this.clock.advance(100);
    return this.done.splice(0);
  }
}

const IDLE = { idleTimeoutMs: 1_000, drainTimeoutMs: 500 };

describe('the life of a connection', () => {
  it('ends when nothing was asked for so long: told first, closed after the drain time', () => {
    const connection = new Connection(IDLE);
    connection.begin();
    expect(connection.wait(3_000)).toEqual([]);
    connection.end();
    expect(connection.wait(900)).toEqual([]);
    expect(connection.wait(1_000)).toEqual(['drain 4000', 'retire 4500']);
  });

  it('counts from the last request, and every request anew', () => {
    const connection = new Connection(IDLE);
    for (let round = 0; round < 5; round++) {
      connection.begin();
      connection.end();
      expect(connection.wait(900)).toEqual([]);
    }
    expect(connection.wait(600)).toEqual(['drain 4600', 'retire 5100'].slice(0, connection.clock.now() >= 5_100 ? 2 : 1));
  });

  it('ends at once when its caller has never said a byte', () => {
    expect(new Connection(IDLE).wait(2_000)).toEqual(['retire 1000']);
  });

  it('is left to the limits of a head that begins while it drains', () => {
    const connection = new Connection(IDLE);
    connection.begin();
    connection.end();
    expect(connection.wait(1_000)).toEqual(['drain 1000']);
    connection.bytesRead = 101;
    expect(connection.wait(5_000)).toEqual([]);
  });

  it('ends at its age, whatever runs', () => {
    const connection = new Connection({ maxDurationMs: 2_000, drainTimeoutMs: 500 });
    connection.begin();
    expect(connection.wait(3_000)).toEqual(['drain 2000', 'retire 2500']);
  });

  it('takes so many requests', () => {
    const connection = new Connection({ maxRequests: 2 });
    connection.begin();
    connection.end();
    expect(connection.done).toEqual([]);
    connection.begin();
    expect(connection.done).toEqual(['drain 0']);
    connection.end();
  });

  it('has no limit where they are 0, and none for a connection that is gone', () => {
    expect(new Connection({ idleTimeoutMs: 0 }).wait(10_000_000)).toEqual([]);
    const gone = new Connection({ ...IDLE, maxDurationMs: 500 });
    gone.life.close();
    gone.life.onIdle();
    expect(gone.wait(10_000)).toEqual([]);
  });

  it('is an hour without requests when nothing is said', () => {
    const connection = new Connection({});
    connection.begin();
    connection.end();
    expect(connection.wait(3_605_000)).toEqual(['drain 3600000', 'retire 3605000']);
  });
});
