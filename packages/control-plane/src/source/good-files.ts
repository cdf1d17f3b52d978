import { SavedJson } from '../state/saved-json.ts';

type Texts = Readonly<Record<string, string>>;

/**
 * The last text of each file that was without a mistake, kept over restarts: a policy whose edit went wrong must not fall silent
 * because the control plane was started again. Files with a Secret are not kept: nothing secret is written to disk.
 */
export class GoodFiles {
  private readonly json: SavedJson<Texts>;
  private saved = '';

  constructor(stateDir: string) {
    this.json = new SavedJson(stateDir, { name: 'last-good-files.json', holds: 'texts by file name', accepts: areTexts });
  }

  /** File name → text; empty when nothing was kept. Throws when what was kept is damaged. */
  load(): ReadonlyMap<string, string> {
    return new Map(Object.entries(this.json.load() ?? {}));
  }

  /** Only when something has changed. */
  save(texts: ReadonlyMap<string, string>): void {
    const value = Object.fromEntries(texts);
    const text = JSON.stringify(value);
    if (text === this.saved) return;
    this.json.save(value);
    this.saved = text;
  }
}

function areTexts(value: unknown): value is Texts {
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');
}
