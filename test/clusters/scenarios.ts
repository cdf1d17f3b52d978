import { AGGREGATES, HEALTH } from './health.ts';
import type { Scenario } from './scenario.ts';
import { SUBSETS } from './subsets.ts';

export const SCENARIOS: readonly Scenario[] = [...SUBSETS, ...HEALTH, ...AGGREGATES];
