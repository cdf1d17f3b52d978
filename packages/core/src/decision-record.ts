import { formatSource, type SourceRef } from './source-ref.ts';

/** Tells the id of a request's record in its response; `, ` between those of several hops, the last is the caller's own. */
export const DECISION_HEADER = 'x-ripstop-decision';

/** What was decided: in the order of the walk. */
export type DecisionStep =
  | 'connection'
  | 'request'
  | 'host'
  | 'route'
  | 'filter'
  | 'cluster'
  | 'endpoint'
  | 'tls'
  | 'timeout'
  | 'retry'
  | 'mirror'
  | 'reply'
  | 'result';

/** One thing decided about a request, with the document that says so. */
export interface Decision {
  readonly step: DecisionStep;
  readonly text: string;
  readonly source?: SourceRef | undefined;
}

export interface DecisionRecordOptions {
  readonly id?: string;
  readonly dryRun?: boolean;
  readonly announced?: boolean;
  readonly onClosed?: (record: DecisionRecord) => void;
}

/**
 * Collects decisions when somebody asked; `x.decision` is undefined otherwise, and then nothing is built. Header values never enter it
 * but where a condition of the configuration names them.
 */
export class DecisionRecord {
  /** Unique within the process. */
  readonly id: string;
  /** Nothing is sent: filters say what they would do instead of waiting, counting or asking others. */
  readonly dryRun: boolean;
  /** The response may tell the id. */
  readonly announced: boolean;
  readonly decisions: Decision[] = [];
  private readonly onClosed: ((record: DecisionRecord) => void) | undefined;

  constructor(options: DecisionRecordOptions = {}) {
    this.id = options.id ?? '';
    this.dryRun = options.dryRun ?? false;
    this.announced = options.announced ?? false;
    this.onClosed = options.onClosed;
  }

  add(step: DecisionStep, text: string, source?: SourceRef): void {
    this.decisions.push(source === undefined ? { step, text } : { step, text, source });
  }

  /** The exchange is over; called once, by the pipeline. */
  close(result: string): void {
    this.add('result', result);
    this.onClosed?.(this);
  }

  /** One line per decision: the step, what was decided, and the document. */
  toString(): string {
    return formatDecisions(this.decisions);
  }

  toJSON(): { readonly id: string; readonly decisions: readonly Decision[] } {
    return { id: this.id, decisions: this.decisions };
  }
}

const STEP_WIDTH = 12;

/** As a person reads it; a step that stands above is not said again. */
export function formatDecisions(decisions: readonly Decision[]): string {
  let before = '';
  return decisions
    .map(({ step, text, source }) => {
      const label = step === before ? '' : step;
      before = step;
      const where = source === undefined ? '' : `  ${formatSource(source)}`;
      return `${label.padEnd(STEP_WIDTH)}${text}${where}`;
    })
    .join('\n');
}
