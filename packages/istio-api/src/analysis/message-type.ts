import type { Severity } from '../object.ts';

/** A kind of finding of the analysis. */
export interface MessageType {
  readonly code: string;
  /** Istio's name of it. */
  readonly name: string;
  readonly severity: Severity;
  /** When it is found; or, of one that never is, why. */
  readonly when: string;
  /** False: such a finding is never made. */
  readonly applies: boolean;
}
