import { type SavedForm, SavedJson } from './saved-json.ts';

type Entries<V> = readonly (readonly [string, V])[];

/** Values by key that are kept over a restart. */
export class SavedEntries<V> {
  private readonly json: SavedJson<Entries<V>>;

  /** `accepts` judges the value of an entry. */
  constructor(stateDir: string, { name, holds, accepts }: SavedForm<V>) {
    const areEntries = (value: unknown): value is Entries<V> =>
      Array.isArray(value) && value.every((entry) => Array.isArray(entry) && typeof entry[0] === 'string' && accepts(entry[1]));
    this.json = new SavedJson(stateDir, { name, holds, accepts: areEntries });
  }

  /** Throws what the file system says. */
  save(entries: ReadonlyMap<string, V>): void {
    this.json.save([...entries]);
  }

  /** Empty when nothing was saved. Throws when the file is damaged: name the reason and go on without. */
  load(): ReadonlyMap<string, V> {
    return new Map(this.json.load());
  }
}
