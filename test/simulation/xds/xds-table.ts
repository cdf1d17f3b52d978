import type { Row } from '../row.ts';
import type { StaticConfig } from './static-config.ts';

/** Rows over one xDS text, for a gateway; in order, as filters have a memory. For what no YAML of Istio says. */
export interface XdsTable {
  readonly name: string;
  /** `port`: of an upstream, or of an odd one (see oddUpstreams). */
  config(port: (upstream: string) => number): StaticConfig;
  readonly rows: readonly Row[];
}
