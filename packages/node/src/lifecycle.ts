const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];
const OURS = Symbol('ripstop.drain');

type Handler = (() => void) & { readonly [OURS]?: true };

/** Meshes of this process that are draining: signals belong to the process, and it ends when the last one is done. */
let draining = 0;

/**
 * Runs `drain` on SIGTERM and SIGINT, then lets the process end by itself with the app's own exit code. When the app has handlers of
 * its own, they decide: it calls `mesh.close()` itself. Several meshes drain side by side.
 */
export function onTermination(drain: () => Promise<void>): () => void {
  let begun = false;
  const handler: Handler = Object.assign(
    () => {
      // A second signal, while draining, does not cut it short: SIGKILL does.
      if (begun || SIGNALS.some((name) => process.listeners(name).some((other) => (other as Handler)[OURS] !== true))) return;
      begun = true;
      draining++;
      drain().then(
        () => finish(),
        (error: unknown) => {
          process.stderr.write(`ripstop: draining failed: ${error instanceof Error ? error.message : error}\n`);
          finish(1);
        },
      );
    },
    { [OURS]: true as const },
  );
  for (const signal of SIGNALS) process.on(signal, handler);
  return () => {
    // While it drains the handler stays: without one a second signal would end the process at once.
    if (!begun) for (const signal of SIGNALS) process.off(signal, handler);
  };
}

/** With our signal handler the default action (ending the process) is gone, so it is done here once everything is closed. */
function finish(code = 0): void {
  process.exitCode ??= code;
  if (--draining === 0) setImmediate(() => process.exit());
}
