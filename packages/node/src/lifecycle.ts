const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

type Drain = () => Promise<void>;

/** Meshes of this process that no signal has ended yet. */
const waiting = new Set<{ readonly drain: Drain }>();
/** Those that are draining: signals belong to the process, and it ends when the last one is done. */
let draining = 0;

/**
 * Runs `drain` on SIGTERM and SIGINT, then lets the process end by itself with the app's own exit code. When the app has handlers of
 * its own, they decide: it calls `mesh.close()` itself. Several meshes drain side by side. Answers what takes it back.
 */
export function onTermination(drain: Drain): () => void {
  const mesh = { drain };
  // One handler for all of them: Node takes more than ten for a leak, and says so.
  if (waiting.size === 0 && draining === 0) for (const signal of SIGNALS) process.on(signal, onSignal);
  waiting.add(mesh);
  return () => {
    // While any drains the handler stays: without one a second signal would end the process at once.
    if (waiting.delete(mesh) && waiting.size === 0 && draining === 0) for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}

/** A second signal, while draining, does not cut it short: SIGKILL does. */
function onSignal(): void {
  if (SIGNALS.some((name) => process.listeners(name).some((other) => other !== onSignal))) return;
  const meshes = [...waiting];
  waiting.clear();
  draining += meshes.length;
  for (const { drain } of meshes)
    drain().then(
      () => finish(),
      (error: unknown) => {
        process.stderr.write(`ripstop: draining failed: ${error instanceof Error ? error.message : error}\n`);
        finish(1);
      },
    );
}

/** With our signal handler the default action (ending the process) is gone, so it is done here once everything is closed. */
function finish(code = 0): void {
  process.exitCode ??= code;
  if (--draining === 0) setImmediate(() => process.exit());
}
