import type { Finding } from '@ripstop/istio-api';
import { asPods } from '../describe/told-workloads.ts';
import type { WorkloadInstance } from '../model/workload.ts';
import type { StoreState } from '../source/object-store.ts';

/** Findings of documents beside the processes that registered, kept while neither changes. */
export class LiveFindings {
  private last: { readonly state: StoreState; readonly who: string; readonly findings: readonly Finding[] } | undefined;

  /** What istioctl would find in a cluster in which these processes are the Pods. */
  of(state: StoreState, instances: readonly WorkloadInstance[]): readonly Finding[] {
    if (instances.length === 0) return state.findings;
    const who = JSON.stringify(instances.map(({ key, labels, serviceAccount }) => [key, labels, serviceAccount]));
    if (this.last?.state !== state || this.last.who !== who) this.last = { state, who, findings: state.findingsWith(asPods(instances)) };
    return this.last.findings;
  }
}
