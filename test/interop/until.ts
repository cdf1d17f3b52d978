/**
 * Waits for a condition of another process, which gives no sign of its own: asks again every few milliseconds. Rejects with `what` and
 * the last error when the time is up.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}${last}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
