/**
 * Runs `drain` on SIGTERM and SIGINT, then lets the process end by itself with the app's own exit code. When the app has handlers of
 * its own, they decide: it calls `mesh.close()` itself.
 */
export function onTermination(drain: () => Promise<void>): () => void {
  const signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];
  const handler = (): void => {
    if (signals.some((name) => process.listenerCount(name) > 1)) return;
    cancel();
    drain().then(
      () => finish(),
      (error: unknown) => {
        process.stderr.write(`ripstop: draining failed: ${error instanceof Error ? error.message : error}\n`);
        finish(1);
      },
    );
  };
  const cancel = (): void => {
    for (const signal of signals) process.off(signal, handler);
  };
  for (const signal of signals) process.on(signal, handler);
  return cancel;
}

/** With our signal handler the default action (ending the process) is gone, so it is done here once everything is closed. */
function finish(code = 0): void {
  process.exitCode ??= code;
  setImmediate(() => process.exit());
}
