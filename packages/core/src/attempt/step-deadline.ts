import { Deadline } from './deadline-queue.ts';

/** A deadline of an exchange beside its route timeout; made only where the route configures one. */
export class StepDeadline extends Deadline {
  readonly #run: () => void;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  onDue(): void {
    this.#run();
  }
}
