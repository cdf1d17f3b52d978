import type { SourceFile } from './folder.ts';
import { ObjectStore, type StoreState } from './object-store.ts';

/** Documents that stand in no folder: a test's. Every subscriber gets the state in force and each one after it. */
export class MemorySource {
  private readonly store: ObjectStore = new ObjectStore();
  private readonly subscribers = new Set<(state: StoreState) => void>();

  constructor(files: readonly SourceFile[]) {
    this.store.update(files);
  }

  get state(): StoreState {
    return this.store.state();
  }

  /** Replaces the documents. As with a folder, the last good version of what has an error now stays in force. */
  update(files: readonly SourceFile[]): void {
    const state = this.store.update(files);
    if (state !== undefined) for (const tell of [...this.subscribers]) tell(state);
  }

  subscribe(tell: (state: StoreState) => void): { close(): void } {
    this.subscribers.add(tell);
    tell(this.state);
    return { close: () => void this.subscribers.delete(tell) };
  }
}
