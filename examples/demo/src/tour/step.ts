import type { Check } from '../report.ts';
import type { World } from '../world.ts';

/** One numbered stop of the tour. A check that throws counts as ✗ with the error as what was measured. */
export interface Step {
  readonly id: string;
  readonly title: string;
  run(world: World): Promise<readonly Check[]>;
}
