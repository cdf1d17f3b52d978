import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { goTags, hasTrailingColons, joinTrailingColons } from './go-yaml.ts';

/**
 * The documents of a text as trees, which know where everything stands. They take ten times the memory of what they say and are hardly
 * ever asked once the text was read: they are let go, and made again when somebody asks.
 */
export class SyntaxTrees {
  readonly lines: LineCounter = new LineCounter();
  private readonly text: string;
  private readonly trailingColons: boolean;
  private known: WeakRef<readonly Document.Parsed[]> | undefined;

  constructor(text: string) {
    this.text = text;
    this.trailingColons = hasTrailingColons(text);
  }

  /** A document with errors is left as it is. */
  all(): readonly Document.Parsed[] {
    const known = this.known?.deref();
    if (known !== undefined) return known;
    const documents = [
      ...(parseAllDocuments(this.text, {
        version: '1.1',
        // It is told the same each time.
        ...(this.known === undefined ? { lineCounter: this.lines } : {}),
        prettyErrors: false,
        merge: true,
        customTags: goTags,
        // Its warnings quote the text, and go past every log.
        logLevel: 'error',
      }) as Iterable<Document.Parsed>),
    ];
    if (this.trailingColons) for (const document of documents) if (document.errors.length === 0) joinTrailingColons(document, this.text);
    this.known = new WeakRef(documents);
    return documents;
  }
}
