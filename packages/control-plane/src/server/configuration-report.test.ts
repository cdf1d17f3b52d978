import { describe, expect, it } from 'vitest';
import { ObjectStore, type StoreState } from '../source/object-store.ts';
import { FakeScheduler } from '../testing/fake-scheduler.ts';
import { service } from '../testing/mesh.ts';
import { ConfigurationReport } from './configuration-report.ts';

const stateOf = (name: string): StoreState => new ObjectStore().update([{ name: 'a.yaml', text: service(name) }])!;

function reporting() {
  const scheduler = new FakeScheduler();
  const told: StoreState[] = [];
  const report = new ConfigurationReport(scheduler, (state) => told.push(state));
  const settle = (): void => {
    for (let turn = 0; turn < 100; turn++) scheduler.advance(0);
  };
  return { scheduler, told, report, settle };
}

describe('what there is to say about a folder', () => {
  it('is said when nothing more was saved for a while', () => {
    const { scheduler, told, report, settle } = reporting();
    const [first, second] = [stateOf('a'), stateOf('b')];
    report.changed(first, false);
    scheduler.advance(150);
    report.changed(second, false);
    scheduler.advance(150);
    settle();
    expect(told).toEqual([]);
    scheduler.advance(50);
    settle();
    expect(told).toEqual([second]);
  });

  it('is said at once when nobody waits for the change', () => {
    const { told, report, settle } = reporting();
    const state = stateOf('a');
    report.changed(state, true);
    settle();
    expect(told).toEqual([state]);
  });

  it('is worked out some steps at a time, and not at all when the next change comes before its end', () => {
    const { scheduler, told, report, settle } = reporting();
    const state = stateOf('a');
    let ended = false;
    const endless: StoreState = {
      ...state,
      *workOut() {
        while (!ended) yield;
      },
    };
    report.changed(endless, true);
    scheduler.advance(0);
    expect(scheduler.waiting).toBe(1);
    report.changed(state, true);
    settle();
    ended = true;
    settle();
    expect(told).toEqual([state]);
  });
});

describe('findings that were worked out in steps', () => {
  it('are those that are worked out at once', () => {
    const text = `${service('a')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec: { hosts: [a], http: [{ route: [{ destination: { host: nobody } }] }] }
`;
    const [stepwise, atOnce] = [0, 1].map(() => new ObjectStore().update([{ name: 'a.yaml', text }])!);
    const steps = stepwise!.workOut();
    let count = 0;
    while (steps.next().done !== true) count++;
    expect(count).toBeGreaterThan(10);
    expect(stepwise!.findings).toEqual(atOnce!.findings);
    expect(stepwise!.findings.map(({ code }) => code)).toContain('IST0101');
  });
});
