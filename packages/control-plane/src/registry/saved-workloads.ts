import type { WorkloadInstance } from '../model/workload.ts';
import { SavedJson } from '../state/saved-json.ts';

/** A registration as it is kept over a restart. Names, labels and addresses; nothing secret. */
export interface SavedWorkload {
  readonly instance: WorkloadInstance;
  readonly verified: boolean;
}

/**
 * The registry on disk. A control plane that is killed has lost every stream at once, and its workloads have 40 seconds to come back:
 * they may be waiting for 30 before they try again. Without it the first client to reconnect would be told that nobody serves.
 */
export class SavedWorkloads {
  private readonly json: SavedJson<readonly SavedWorkload[]>;

  constructor(stateDir: string) {
    this.json = new SavedJson(stateDir, { name: 'workloads.json', holds: 'a list of workloads', accepts: areSavedWorkloads });
  }

  /** Throws what the file system says. */
  save(workloads: readonly SavedWorkload[]): void {
    this.json.save(workloads);
  }

  /**
   * What was saved last; none when there is no file. Throws when it is damaged: name the reason and go on without. Nobody has called yet,
   * so nobody is asked for metrics.
   */
  load(): readonly SavedWorkload[] {
    const saved = this.json.load() ?? [];
    return saved.map(({ instance, verified }) => ({ instance: { ...instance, adminAddress: '' }, verified }));
  }
}

function areSavedWorkloads(value: unknown): value is SavedWorkload[] {
  return Array.isArray(value) && value.every(isSavedWorkload);
}

function isSavedWorkload(value: unknown): value is SavedWorkload {
  if (!isRecord(value) || typeof value.verified !== 'boolean' || !isRecord(value.instance)) return false;
  const { instance } = value;
  const texts = ['key', 'name', 'namespace', 'serviceAccount', 'address', 'workloadName', 'clusterId', 'nodeName', 'adminAddress'];
  return (
    texts.every((field) => typeof instance[field] === 'string') &&
    isRecord(instance.labels) &&
    isRecord(instance.locality) &&
    isPorts(instance.ports)
  );
}

function isPorts(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (port) =>
        isRecord(port) && typeof port.port === 'number' && typeof port.workloadPort === 'number' && typeof port.address === 'string',
    )
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
