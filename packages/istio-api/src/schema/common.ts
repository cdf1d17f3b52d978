import { any, list, map, object, port, type Schema, text } from './schema.ts';

export const stringMatch: Schema = object({ exact: text, prefix: text, regex: text }, [], [['exact', 'prefix', 'regex']]);
export const portNumber: Schema = object({ number: port });
export const labels: Schema = map(text);
export const texts: Schema = list(text);
/** WorkloadSelector of security.istio.io and telemetry.istio.io. */
export const selector: Schema = object({ matchLabels: labels });
/** WorkloadSelector of networking.istio.io. */
export const workloadSelector: Schema = object({ labels });
export const targetRef: Schema = object({ group: text, kind: text, name: text, namespace: text });
export const anyList: Schema = list(any);
