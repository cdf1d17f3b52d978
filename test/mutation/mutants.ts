import { parseSync, visitorKeys } from 'oxc-parser';
import { type Change, changesOf, type Node } from './operators.ts';

/** One change of one place, and where it can be switched on. */
export interface Mutant {
  /** Counts up within a run. */
  readonly id: number;
  /** Relative to the repository. */
  readonly file: string;
  readonly line: number;
  readonly operator: string;
  readonly original: string;
  readonly replacement: string;
}

interface Site {
  readonly mutant: number;
  readonly change: Change;
}

/** The function that a changed source asks at each place whether its mutant is the one that is on. */
export const SWITCH = '__mutant';

/**
 * All mutants of a source in one text: each place asks the switch which change holds, so one import serves every mutant of the file.
 * Types stay in the text; the caller strips them.
 */
export function mutate(file: string, source: string, firstId: number): { readonly mutants: readonly Mutant[]; readonly text: string } {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]!.message}`);
  const mutants: Mutant[] = [];
  const sites = new Map<Node, Site[]>();
  walk(program as unknown as Node, [], (node, ancestors) => {
    for (const change of changesOf(node, ancestors, source)) {
      const id = firstId + mutants.length;
      const original = source.slice(change.shown?.start ?? change.at.start, change.shown?.end ?? change.at.end);
      mutants.push({
        id,
        file,
        line: source.slice(0, (change.shown ?? change.at).start).split('\n').length,
        operator: change.operator,
        original: oneLine(original),
        replacement: oneLine(change.replacement),
      });
      const known = sites.get(change.at);
      if (known === undefined) sites.set(change.at, [{ mutant: id, change }]);
      else known.push({ mutant: id, change });
    }
  });
  return { mutants, text: write(program as unknown as Node, source, sites) };
}

/** Names that hold as long as the place reads the same: the line may move. The second of two alike in a file is `#2`. */
export function namesOf(mutants: readonly Mutant[]): ReadonlyMap<number, string> {
  const seen = new Map<string, number>();
  return new Map(
    mutants.map(({ id, file, operator, original, replacement }) => {
      const name = `${file} [${operator}] ${original} => ${replacement || 'nothing'}`;
      const times = (seen.get(name) ?? 0) + 1;
      seen.set(name, times);
      return [id, times === 1 ? name : `${name} #${times}`];
    }),
  );
}

function oneLine(text: string): string {
  const flat = text.replace(/\s+/g, ' ');
  return flat.length > 110 ? `${flat.slice(0, 70)} … ${flat.slice(-35)}` : flat;
}

/** In the order of the text. Types are not walked: what is erased cannot be changed. */
function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  if (/^Import|^ExportAll|^ExportSpecifier/.test(node.type)) return children;
  for (const key of visitorKeys[node.type] ?? []) {
    if (key === 'key' && node.shorthand) continue; // It is the value as well.
    const value = node[key] as Node | readonly (Node | null)[] | null | undefined;
    for (const child of Array.isArray(value) ? value : [value]) if (child && !isType(child)) children.push(child);
  }
  return children.sort((a, b) => a.start - b.start);
}

function isType(node: Node): boolean {
  return node.type.startsWith('TS') && !/^TS(NonNull|As|Satisfies)Expression$|^TSTypeAssertion$|^TSParameterProperty$/.test(node.type);
}

function walk(node: Node, ancestors: readonly Node[], visit: (node: Node, ancestors: readonly Node[]) => void): void {
  visit(node, ancestors);
  const inside = [...ancestors, node];
  for (const child of childrenOf(node)) walk(child, inside, visit);
}

function write(node: Node, source: string, sites: ReadonlyMap<Node, readonly Site[]>): string {
  let text = '';
  let at = node.start;
  for (const child of childrenOf(node)) {
    text += source.slice(at, child.start) + write(child, source, sites);
    at = child.end;
  }
  text += source.slice(at, node.end);
  for (const { mutant, change } of sites.get(node) ?? []) {
    const on = `${SWITCH}(${mutant})`;
    if (change.form === 'expression') text = `(${on} ? (${change.replacement}) : (${text}))`;
    else if (change.form === 'statement') text = `{ if (!${on}) ${text} }`;
    else text = text.replace('{', `{ if (${on}) return;`);
  }
  return text;
}
