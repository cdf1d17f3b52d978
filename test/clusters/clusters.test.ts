import { describe, expect, it } from 'vitest';
import { reachedHere } from './reached-here.ts';
import { SCENARIOS } from './scenarios.ts';

/** The same beside a real Envoy: test/interop/clusters.test.ts. */
describe('which hosts of a cluster take a request', () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('%s', (_name, scenario) => {
    const wanted = scenario.calls.map(([{ name }, hosts]) => `${name}: ${hosts}`);
    expect(reachedHere(scenario).map((hosts, call) => `${scenario.calls[call]![0].name}: ${hosts}`)).toEqual(wanted);
  });
});
