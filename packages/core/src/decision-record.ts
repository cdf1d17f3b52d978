import type { SourceRef } from './source-ref.ts';

/** One thing decided about a request, with the document that says so. */
export interface Decision {
  /** `route`, `cluster`, `endpoint`, `tls`, `filter`, `retry`, `timeout`, `reply`. */
  readonly step: string;
  readonly text: string;
  readonly source?: SourceRef | undefined;
}

/** Collects decisions when somebody asked; `x.decision` is undefined otherwise, and then nothing is built. */
export class DecisionRecord {
  readonly decisions: Decision[] = [];

  add(step: string, text: string, source?: SourceRef): void {
    this.decisions.push({ step, text, source });
  }
}
