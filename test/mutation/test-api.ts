import { expect as realExpect } from 'vitest';
import { describe, it, type OnHook, onHook } from './suite.ts';

/*
 * What a test file gets here for `vitest`: its `expect`, and a collector that can run the same file a thousand times in one process.
 * Only what the tests of the gate use; anything else fails as a missing export.
 */

export { describe, it };
export const test: typeof it = it;
export const beforeAll: OnHook = onHook('beforeAll');
export const afterAll: OnHook = onHook('afterAll');
export const beforeEach: OnHook = onHook('beforeEach');
export const afterEach: OnHook = onHook('afterEach');

interface Patience {
  readonly interval?: number;
  readonly timeout?: number;
}

export const vi: { readonly waitFor: typeof until } = { waitFor: until };

export const expect: typeof realExpect = Object.assign((...args: Parameters<typeof realExpect>) => realExpect(...args), realExpect, {
  poll: (read: () => unknown, patience?: Patience) => polled(read, patience, false),
}) as unknown as typeof realExpect;

function polled(read: () => unknown, patience: Patience | undefined, not: boolean): unknown {
  return new Proxy(
    {},
    {
      get: (_, name: string) =>
        name === 'not'
          ? polled(read, patience, true)
          : (...args: unknown[]) =>
              until(async () => {
                const assertion = realExpect(await read());
                const matchers = (not ? assertion.not : assertion) as unknown as Record<string, (...args: unknown[]) => unknown>;
                return matchers[name]!(...args);
              }, patience),
    },
  );
}

/** Tries so often, not so long: where the machine is busy with others a try takes its time. */
async function until<T>(attempt: () => T | Promise<T>, { interval = 50, timeout = 1000 }: Patience = {}): Promise<T> {
  const pauseMs = Math.min(interval, 10);
  for (let left = timeout / pauseMs; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
