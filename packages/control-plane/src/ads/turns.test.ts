import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Scheduler } from '../registry/workload-registry.ts';
import { Turn, Turns } from './turns.ts';

const scheduler: Scheduler = { setTimer: () => ({ cancel: () => {} }) };

describe('a client whose turn has not come', () => {
  afterEach(() => void vi.useRealTimers());

  it('is a newcomer until it has been served, sent and read everything, and was silent for a while, or goes', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] });
    const turns = new Turns(scheduler);
    const clients = Array.from({ length: 16 }, () => new Turn(turns));
    for (const client of clients) client.take(() => client.wrote(480 * 1024));
    expect(turns.newcomers.haveRoom).toBe(false);
    clients[0]!.end();
    expect(turns.newcomers.haveRoom).toBe(true);
    const last = new Turn(turns);
    last.take(() => false);
    vi.advanceTimersByTime(10);
    for (const client of clients.slice(1)) client.read(480 * 1024);
    vi.advanceTimersByTime(18);
    expect(turns.newcomers.haveRoom, 'the last one, which was sent nothing, is settled').toBe(true);
    new Turn(turns);
    expect(turns.newcomers.haveRoom).toBe(false);
    vi.advanceTimersByTime(1);
    expect(turns.newcomers.haveRoom).toBe(true);
    turns.close();
  });

  it('does not count as waiting for the control plane while it does not read', () => {
    const turns = new Turns(scheduler);
    const client = new Turn(turns);
    client.take(() => true);
    expect(client.isWaiting).toBe(true);
    client.wrote(1024 * 1024);
    expect(client.isWaiting).toBe(false);
    client.end();
    turns.close();
  });
});
