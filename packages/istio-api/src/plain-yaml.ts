import { parseDocument } from 'yaml';
import { goTags } from './go-yaml.ts';

/** A document that says something. */
export interface PlainDocument {
  readonly value: unknown;
  /** Where its first key, or its bracket, stands. */
  readonly offset: number;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

/**
 * The documents of a text that uses nothing but what nearly every manifest does: mappings and lists, in blocks or in brackets on one line,
 * with scalars of one line. Says the same as the YAML library in a tenth of the time. Undefined for whatever goes beyond, and for every
 * mistake: the library reads that, and knows what to say about it.
 */
export function readPlainYaml(text: string): readonly PlainDocument[] | undefined {
  if (!PRINTABLE.test(text)) return undefined;
  try {
    return new PlainReader(text).documents();
  } catch (error) {
    if (error === UNUSUAL) return undefined;
    throw error;
  }
}

const PRINTABLE = /^[\n\x20-\x7e]*$/;
const UNUSUAL = new Error('not plain');
/** Longer lines may have keys that YAML does not allow. */
const MAX_LINE = 1000;

const KEY = /[A-Za-z_][\w./-]*(?=:(?: |\n|$))/y;
/** In brackets. A colon belongs to the text where something follows it. */
const FLOW_KEY = /[A-Za-z_][\w./-]*(?=: )/y;
const FLOW_SCALAR = /[\w./](?:[\w./*+=-]|:(?=[\w./-])| (?=[\w./]))*/y;
/** What a line may begin a scalar with, that is no indicator. */
const FIRST = /[\w./-]/;
const QUOTED = /"[^"\\\n]*"|'[^'\n]*'(?!')/y;
/** YAML 1.1 takes them for something else than text, in some spelling. */
const WORDS: ReadonlySet<string> = new Set(['y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null']);
const NUMBER = /^(?:0|[1-9]\d{0,14})$/;
/** Addresses, durations, dates (text in Kubernetes), UUIDs. */
const TEXT_WITH_DIGITS = /^(?:\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?|\d+(?:ms|s|m|h)|\d{4}-\d\d-\d\d.*|[\da-f]{8}-[\da-f]{4}-.*)$/;
/** The library takes longer to be asked about a scalar than to read it with all others. */
const MAX_RARE = 32;

const [SPACE, HASH, DASH, QUOTE, APOSTROPHE, BRACKET, BRACE] = [0x20, 0x23, 0x2d, 0x22, 0x27, 0x5b, 0x7b];

class PlainReader {
  private readonly text: string;
  /** Lines that say something: where they begin, behind their indentation, and end. */
  private readonly begins: number[] = [];
  private readonly ends: number[] = [];
  private readonly indents: number[] = [];
  private readonly numbers: number[] = [];
  /** The line that is read, and the first one of the next document. */
  private at = 0;
  private last = 0;
  private rare = 0;

  constructor(text: string) {
    this.text = text;
  }

  documents(): PlainDocument[] {
    const limits = this.split();
    const found: PlainDocument[] = [];
    for (const limit of [...limits, this.begins.length]) {
      this.last = limit;
      if (this.at === limit) continue;
      const [offset, indent, line] = [this.begins[this.at]!, this.indents[this.at]!, this.numbers[this.at]!];
      const flow = this.text.charCodeAt(offset) === BRACE;
      const value = flow ? this.inline(offset, this.ends[this.at]!) : this.mapping(indent);
      if (flow) this.at++;
      if (this.at !== limit) throw UNUSUAL;
      found.push({ value, offset, line, column: indent + 1 });
    }
    return found;
  }

  /** Takes the text apart into lines; answers which of them begin documents. */
  private split(): number[] {
    const { text } = this;
    const limits: number[] = [];
    for (let begin = 0, number = 1; begin < text.length; number++) {
      let end = text.indexOf('\n', begin);
      if (end === -1) end = text.length;
      let from = begin;
      while (from < end && text.charCodeAt(from) === SPACE) from++;
      let to = end;
      while (to > from && text.charCodeAt(to - 1) === SPACE) to--;
      if (to - begin > MAX_LINE) throw UNUSUAL;
      if (from === begin && (text.startsWith('---', from) || text.startsWith('...', from) || text.charCodeAt(from) === 0x25)) {
        if (text.slice(from, to) !== '---') throw UNUSUAL;
        limits.push(this.begins.length);
      } else if (to > from && text.charCodeAt(from) !== HASH) {
        this.begins.push(from);
        this.ends.push(to);
        this.indents.push(from - begin);
        this.numbers.push(number);
      }
      begin = end + 1;
    }
    return limits;
  }

  private mapping(indent: number): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    while (this.at < this.last && this.indents[this.at] === indent && !this.isItem()) {
      const begin = this.begins[this.at]!;
      const key = this.key(KEY, begin, this.ends[this.at]!);
      if (key === undefined) throw UNUSUAL;
      this.put(made, key, this.valueOf(begin + key.length + 1, indent));
    }
    if (this.at < this.last && this.indents[this.at]! > indent) throw UNUSUAL;
    return made;
  }

  private list(indent: number): unknown[] {
    const made: unknown[] = [];
    while (this.at < this.last && this.indents[this.at] === indent && this.isItem()) {
      const begin = this.begins[this.at]!;
      const [from, end] = [this.skip(begin + 1), this.ends[this.at]!];
      if (from < end && this.key(KEY, from, end) !== undefined) {
        // The item is a mapping that begins on this line.
        const column = indent + from - begin;
        this.begins[this.at] = from;
        this.indents[this.at] = column;
        made.push(this.mapping(column));
      } else made.push(this.valueOf(begin + 1, indent, true));
    }
    return made;
  }

  /** What stands behind a key or a dash: on its line, or in the deeper lines below. */
  private valueOf(position: number, indent: number, ofItem = false): unknown {
    const end = this.ends[this.at]!;
    const from = this.skip(position);
    const nothing = from >= end || this.isComment(from);
    const value = nothing ? null : this.inline(from, end);
    this.at++;
    const next = this.at < this.last ? this.indents[this.at]! : -1;
    if (next > indent) {
      // A scalar that goes on is not plain.
      if (!nothing) throw UNUSUAL;
      return this.isItem() ? this.list(next) : this.mapping(next);
    }
    // A list may stand as far left as its key.
    return nothing && !ofItem && next === indent && this.isItem() ? this.list(indent) : value;
  }

  private inline(from: number, end: number): unknown {
    const { text } = this;
    switch (text.charCodeAt(from)) {
      case BRACE:
      case BRACKET: {
        const flow = this.flow(from, end);
        this.expectEnd(flow.end, end);
        return flow.value;
      }
      case QUOTE:
      case APOSTROPHE: {
        const quoted = this.quoted(from);
        this.expectEnd(quoted.end, end);
        return quoted.value;
      }
      default: {
        // The line alone is searched: a text without comments would be read to its end for each scalar.
        const line = text.slice(from, end);
        const comment = line.indexOf(' #');
        const whole = (comment === -1 ? line : line.slice(0, comment)).trimEnd();
        if (!FIRST.test(whole[0] ?? '') || whole.startsWith('- ') || whole === '-' || whole.includes(': ') || whole.endsWith(':'))
          throw UNUSUAL;
        return this.scalar(whole);
      }
    }
  }

  private flow(from: number, end: number): { readonly value: unknown; readonly end: number } {
    const { text } = this;
    const isMap = text.charCodeAt(from) === BRACE;
    const close = isMap ? '}' : ']';
    const made: Record<string, unknown> = {};
    const items: unknown[] = [];
    let position = this.skip(from + 1);
    while (text[position] !== close) {
      let key = '';
      if (isMap) {
        key = this.key(FLOW_KEY, position, end) ?? '';
        if (key === '') throw UNUSUAL;
        position = this.skip(position + key.length + 1);
      }
      const item = this.flowValue(position, end);
      if (isMap) this.put(made, key, item.value);
      else items.push(item.value);
      position = this.skip(item.end);
      if (text[position] === close) break;
      if (text[position] !== ',') throw UNUSUAL;
      position = this.skip(position + 1);
      // A comma at the end, or a line that goes on.
      if (position >= end || text[position] === close) throw UNUSUAL;
    }
    return { value: isMap ? made : items, end: position + 1 };
  }

  private flowValue(from: number, end: number): { readonly value: unknown; readonly end: number } {
    const code = this.text.charCodeAt(from);
    if (from >= end) throw UNUSUAL;
    if (code === BRACE || code === BRACKET) return this.flow(from, end);
    if (code === QUOTE || code === APOSTROPHE) return this.quoted(from);
    FLOW_SCALAR.lastIndex = from;
    const [whole] = FLOW_SCALAR.exec(this.text) ?? [];
    if (whole === undefined) throw UNUSUAL;
    const behind = this.text[this.skip(from + whole.length)];
    if (behind !== ',' && behind !== ']' && behind !== '}') throw UNUSUAL;
    return { value: this.scalar(whole), end: from + whole.length };
  }

  private scalar(whole: string): unknown {
    const first = whole.charCodeAt(0);
    // 0 to 9
    if (first >= 0x30 && first <= 0x39) {
      if (NUMBER.test(whole)) return Number(whole);
      return TEXT_WITH_DIGITS.test(whole) ? whole : this.resolved(whole);
    }
    if (first === 0x2b || first === 0x2d || first === 0x2e) return this.resolved(whole);
    if (!isWord(whole)) return whole;
    return whole === 'true' || (whole === 'false' ? false : this.resolved(whole));
  }

  /** What the library takes a rare scalar for. */
  private resolved(whole: string): unknown {
    if (++this.rare > MAX_RARE) throw UNUSUAL;
    const { errors, contents } = parseDocument(whole, { version: '1.1', customTags: goTags, logLevel: 'silent' });
    const { value, source } = (contents ?? {}) as { readonly value?: unknown; readonly source?: string };
    if (errors.length > 0 || source !== whole) throw UNUSUAL;
    return value;
  }

  private quoted(from: number): { readonly value: string; readonly end: number } {
    QUOTED.lastIndex = from;
    const [whole] = QUOTED.exec(this.text) ?? [];
    if (whole === undefined) throw UNUSUAL;
    return { value: whole.slice(1, -1), end: from + whole.length };
  }

  private key(pattern: RegExp, from: number, end: number): string | undefined {
    pattern.lastIndex = from;
    const [key] = pattern.exec(this.text) ?? [];
    return key !== undefined && from + key.length < end ? key : undefined;
  }

  private put(made: Record<string, unknown>, key: string, value: unknown): void {
    if (key === '__proto__' || isWord(key) || Object.hasOwn(made, key)) throw UNUSUAL;
    made[key] = value;
  }

  /** A dash with a blank or nothing behind it. */
  private isItem(): boolean {
    const begin = this.begins[this.at]!;
    return this.text.charCodeAt(begin) === DASH && (begin + 1 === this.ends[this.at] || this.text.charCodeAt(begin + 1) === SPACE);
  }

  private skip(from: number): number {
    let at = from;
    while (this.text.charCodeAt(at) === SPACE) at++;
    return at;
  }

  private isComment(at: number): boolean {
    return this.text.charCodeAt(at) === HASH && this.text.charCodeAt(at - 1) === SPACE;
  }

  private expectEnd(from: number, end: number): void {
    const at = this.skip(from);
    if (at < end && !(at > from && this.isComment(at))) throw UNUSUAL;
  }
}

function isWord(whole: string): boolean {
  return whole.length <= 5 && WORDS.has(whole.toLowerCase());
}
