import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkloadInstance } from '../model/workload.ts';

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
  private readonly file: string;

  constructor(stateDir: string) {
    this.file = join(stateDir, 'workloads.json');
  }

  /** Written beside and renamed, so that a kill leaves the old file or the new one. Throws what the file system says. */
  save(workloads: readonly SavedWorkload[]): void {
    writeFileSync(`${this.file}.tmp`, JSON.stringify(workloads), { mode: 0o600 });
    renameSync(`${this.file}.tmp`, this.file);
  }

  /** What was saved last; none when there is no file. Throws when it is damaged: name the reason and go on without. */
  load(): readonly SavedWorkload[] {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    const parsed: unknown = JSON.parse(text);
    if (!Array.isArray(parsed) || !parsed.every(isSavedWorkload)) throw new Error(`${this.file} does not hold a list of workloads`);
    return parsed;
  }
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
