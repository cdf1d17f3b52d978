import type { Scenario } from './scenario.ts';
import { SUBSETS } from './subsets.ts';

export const SCENARIOS: readonly Scenario[] = [...SUBSETS];
