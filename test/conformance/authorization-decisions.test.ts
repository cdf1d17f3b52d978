import { describe, expect, it } from 'vitest';
import { CASES, Calls, exchange, filterOf, policiesBehind, present } from './authorization-calls.ts';
import { matches } from './authorization-policy.ts';

const CALLS = 1500;

describe.skipIf(!present)('filters that istiod makes of policies decide as the policies say', () => {
  it.each(CASES)(`%s → %s, ${CALLS} calls`, async (input, output, trust, bothVerdicts) => {
    const filter = filterOf(`${output}.yaml`);
    const policies = policiesBehind([input, output, trust, bothVerdicts]);
    const calls = new Calls(policies, trust, 20_261_126);
    const verdicts = new Set<boolean>();
    for (let count = 0; count < CALLS; count++) {
      const call = calls.next();
      const matched = policies.some((policy) => matches(policy, call, trust));
      const { action: kind } = policies[0]!;
      const wanted = kind === 'ALLOW' ? !matched : kind === 'DENY' && matched;
      const reply = await filter.onRequest?.(exchange(call));
      expect({ call, denied: reply !== undefined }).toEqual({ call, denied: wanted });
      verdicts.add(wanted);
    }
    if (bothVerdicts) expect([...verdicts].sort()).toEqual([false, true]);
  });
});
