import type { Cancel } from './ports.ts';
import type { Snapshot } from './snapshot.ts';

/** The snapshot in force. A swap is one assignment: a request sees all of a configuration or none of it. */
export class SnapshotRef {
  private snapshot: Snapshot | undefined = undefined;
  private readonly listeners = new Set<(next: Snapshot) => void>();

  get current(): Snapshot | undefined {
    return this.snapshot;
  }

  swap(next: Snapshot): void {
    this.snapshot = next;
    for (const run of [...this.listeners]) run(next);
  }

  onSwap(run: (next: Snapshot) => void): Cancel {
    this.listeners.add(run);
    return () => void this.listeners.delete(run);
  }
}
