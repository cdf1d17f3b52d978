import { RULES } from './validation/destination-rules.ts';
import { GATEWAYS } from './validation/gateways.ts';
import { POLICIES } from './validation/policies.ts';
import { ENTRIES } from './validation/service-entries.ts';
import type { ValidationCase } from './validation/validation-case.ts';
import { ROUTES, VIRTUAL_SERVICES } from './validation/virtual-services.ts';

export { documentOf, type ValidationCase } from './validation/validation-case.ts';

export const VALIDATION_CASES: readonly ValidationCase[] = [...VIRTUAL_SERVICES, ...ROUTES, ...RULES, ...ENTRIES, ...POLICIES, ...GATEWAYS];
