import type { Verdict } from './kept-results.ts';
import type { Mutant } from './mutants.ts';

export interface Result {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  /** Known from an earlier run. */
  readonly kept: boolean;
}

export interface ReportInput {
  readonly results: readonly Result[];
  readonly names: ReadonlyMap<number, string>;
  readonly equivalent: ReadonlyMap<string, string>;
  /** Listed as equivalent, but there is no such mutant. */
  readonly stale: readonly string[];
  /** The least share of a file; undefined where not all of its mutants were judged. */
  readonly minPerFile: number | undefined;
}

export interface Report {
  readonly mutants: number;
  readonly killed: number;
  readonly timeouts: number;
  readonly survived: number;
  readonly unreached: number;
  readonly equivalent: number;
  readonly rate: number;
  /** Results of earlier runs that hold still. */
  readonly kept: number;
  readonly notEquivalent: readonly string[];
  /** Files with a lesser share than asked for. */
  readonly weak: readonly string[];
}

/** Prints the survivors and a line per file; the rate leaves out what is listed as equivalent. */
export function printReport({ results, names, equivalent, stale, minPerFile = 0 }: ReportInput): Report {
  const listed = (result: Result): boolean => equivalent.has(names.get(result.mutant.id)!);
  const isKilled = ({ verdict }: Result): boolean => verdict === 'failed' || verdict === 'late';
  const notEquivalent = results.filter((result) => listed(result) && isKilled(result)).map(({ mutant }) => names.get(mutant.id)!);
  const counted = results.filter((result) => !listed(result));
  for (const { mutant, verdict } of counted.filter((result) => !isKilled(result)))
    console.log(`${verdict} ${mutant.file}:${mutant.line} [${mutant.operator}] ${mutant.original}  =>  ${mutant.replacement || 'nothing'}`);
  const weak: string[] = [];
  for (const [file, ofFile] of Map.groupBy(counted, ({ mutant }) => mutant.file)) {
    const summary = summaryOf(ofFile);
    console.log(`${percent(summary)} ${file}`);
    if (summary.rate < minPerFile) weak.push(file);
  }
  for (const file of weak) console.log(`fewer than ${minPerFile * 100} % are noticed: ${file}`);
  for (const name of notEquivalent) console.log(`listed as equivalent, but a test notices it: ${name}`);
  for (const name of stale) console.log(`listed as equivalent, but there is no such mutant: ${name}`);
  const summary = summaryOf(counted);
  console.log(`${percent(summary)} in all`);
  return { ...summary, equivalent: results.length - counted.length, notEquivalent, weak };
}

type Summary = Omit<Report, 'equivalent' | 'notEquivalent' | 'weak'>;

function summaryOf(results: readonly Result[]): Summary {
  const count = (wanted: Result['verdict']): number => results.filter(({ verdict }) => verdict === wanted).length;
  const [killed, timeouts] = [count('failed'), count('late')];
  return {
    mutants: results.length,
    killed,
    timeouts,
    survived: count('survived'),
    unreached: count('unreached'),
    kept: results.filter(({ kept }) => kept).length,
    rate: results.length === 0 ? 1 : Math.floor(((killed + timeouts) / results.length) * 10_000) / 10_000,
  };
}

function percent({ rate, mutants, killed, timeouts, survived, unreached, kept }: Summary): string {
  const known = kept === 0 ? '' : `, ${kept} of these known from earlier runs`;
  return `${(rate * 100).toFixed(1).padStart(5)} %  ${mutants} mutants: ${killed} killed, ${timeouts} timeouts, ${survived} survived, ${unreached} unreached${known} `;
}
