import { reasonOf } from '../reason-of.ts';
import { SavedWorkloads } from '../registry/saved-workloads.ts';
import type { WorkloadRegistry } from '../registry/workload-registry.ts';

/** Carries the registry over a restart, where there is a state directory. A disk that fails is told and stops nothing. */
export class KeptRegistrations {
  private readonly saved: SavedWorkloads | undefined;
  private readonly registry: WorkloadRegistry;
  private readonly onProblem: (message: string) => void;

  constructor(stateDir: string | undefined, registry: WorkloadRegistry, onProblem: (message: string) => void) {
    this.saved = stateDir === undefined ? undefined : new SavedWorkloads(stateDir);
    this.registry = registry;
    this.onProblem = onProblem;
  }

  restore(): void {
    try {
      this.registry.restore(this.saved?.load() ?? []);
    } catch (error) {
      this.onProblem(`registrations of the last run are not taken over: ${reasonOf(error)}`);
    }
  }

  save(): void {
    try {
      this.saved?.save(this.registry.saved);
    } catch (error) {
      this.onProblem(`registrations are not saved, a restart will forget them: ${reasonOf(error)}`);
    }
  }
}
