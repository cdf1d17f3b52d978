/** What one test saw when no mutant was on. */
export interface MeasuredTest {
  readonly title: string;
  readonly ms: number;
  /** Of the processor: what counts where the machine is busy. */
  readonly cpuMs: number;
  readonly reached: readonly number[];
}

export interface Measured {
  readonly file: string;
  /** Running the file's body, with the modules that it imports already there. */
  readonly declareMs: number;
  readonly declareCpuMs: number;
  /** Reached while modules were loaded; a module that an earlier file brought is not loaded again. */
  readonly reachedOnLoad: readonly number[];
  /** Reached while the tests were declared, or by what runs once before or after them: each of them may see it. */
  readonly reachedOnDeclare: readonly number[];
  /** The project's files that it is made of: itself and what it imports, at any depth. */
  readonly imports: readonly string[];
  readonly tests: readonly MeasuredTest[];
  /** How often each mutant was reached, by the tests together. */
  readonly hits: readonly (readonly [mutant: number, times: number])[];
  readonly failure: string | undefined;
}

/** Tests of one file, by their place in it. */
export interface Step {
  readonly file: string;
  readonly tests: readonly number[];
  /** What they took together without a mutant. */
  readonly ms: number;
  readonly cpuMs: number;
  /** What one of them may take. */
  readonly msPerTest: number;
}

export type Order =
  /** First: the changed sources by path, and how many mutants there are. */
  | { readonly kind: 'begin'; readonly texts: Readonly<Record<string, string>>; readonly mutants: number }
  | { readonly kind: 'measure'; readonly file: string }
  /** `mutant` 0 is none. `fresh`: every module of the project is loaded anew. */
  | {
      readonly kind: 'judge';
      readonly mutant: number;
      readonly hitLimit: number;
      readonly steps: readonly Step[];
      readonly fresh: boolean;
    };

/** `late`: it did not end in time. `by`: the test that failed. */
export interface Judged {
  readonly verdict: 'survived' | 'failed' | 'late';
  /** Memory of the worker: modules that were loaded anew stay. */
  readonly rssBytes?: number;
  readonly by?: { readonly file: string; readonly test: number; readonly reason: string };
}
