import type { Verdict } from './kept-results.ts';
import type { Mutant } from './mutants.ts';

export interface Result {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  /** Known from an earlier run. */
  readonly kept: boolean;
}

export interface ReportOptions {
  readonly names: ReadonlyMap<number, string>;
  readonly equivalent: ReadonlyMap<string, string>;
  /** The least share of a file; undefined where not all of its mutants are judged. */
  readonly minPerFile: number | undefined;
}

interface Summary {
  readonly mutants: number;
  readonly killed: number;
  readonly timeouts: number;
  readonly survived: number;
  readonly unreached: number;
  /** Results of earlier runs that hold still. */
  readonly kept: number;
  readonly rate: number;
}

/** Prints file by file; the rates leave out what is listed as equivalent. */
export class Report {
  private readonly options: ReportOptions;
  private readonly counted: Result[] = [];
  private readonly notEquivalent: string[] = [];
  /** Files with a lesser share than asked for. */
  private readonly weak: string[] = [];
  private equivalent = 0;

  constructor(options: ReportOptions) {
    this.options = options;
  }

  /** The survivors, and how many there are. */
  add(file: string, results: readonly Result[]): void {
    const { names, equivalent, minPerFile = 0 } = this.options;
    const listed = ({ mutant }: Result): boolean => equivalent.has(names.get(mutant.id)!);
    const noticed = results.filter((result) => listed(result) && isKilled(result)).map(({ mutant }) => names.get(mutant.id)!);
    const counted = results.filter((result) => !listed(result));
    for (const { mutant, verdict } of counted.filter((result) => !isKilled(result)))
      console.log(
        `${verdict} ${mutant.file}:${mutant.line} [${mutant.operator}] ${mutant.original}  =>  ${mutant.replacement || 'nothing'}`,
      );
    for (const name of noticed) console.log(`listed as equivalent, but a test notices it: ${name}`);
    const summary = summaryOf(counted);
    console.log(`${percent(summary)} ${file}`);
    if (summary.rate < minPerFile) this.weak.push(file);
    this.counted.push(...counted);
    this.notEquivalent.push(...noticed);
    this.equivalent += results.length - counted.length;
  }

  end(): Summary & { readonly equivalent: number; readonly notEquivalent: readonly string[]; readonly weak: readonly string[] } {
    const { notEquivalent, weak, equivalent } = this;
    for (const file of weak) console.log(`fewer than ${this.options.minPerFile! * 100} % are noticed: ${file}`);
    const summary = summaryOf(this.counted);
    console.log(`${percent(summary)} in all`);
    return { ...summary, equivalent, notEquivalent, weak };
  }
}

function isKilled({ verdict }: Result): boolean {
  return verdict === 'failed' || verdict === 'late';
}

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
