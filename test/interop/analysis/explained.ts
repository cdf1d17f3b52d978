/** A finding that one side has and the other has not. */
export interface OneSided {
  readonly by: 'istio' | 'ours';
  /** `<code> <kind> <namespace>/<name>`. */
  readonly finding: string;
  /** The documents have Pods, or what makes them. */
  readonly tellsWhoRuns: boolean;
}

interface Explanation {
  readonly name: string;
  readonly by: OneSided['by'];
  readonly pattern: RegExp;
  readonly onlyWithoutPods?: true;
}

/** A line each on the page of the analysis or of differences. */
const EXPLAINED: readonly Explanation[] = [
  {
    name: 'documents without Pods do not tell who runs',
    by: 'istio',
    pattern: /^IST0(101 (Gateway|Telemetry|Sidecar)|127 AuthorizationPolicy|149|173) /,
    onlyWithoutPods: true,
  },
  { name: 'selectors of PeerAuthentication and RequestAuthentication, too', by: 'ours', pattern: /^IST0127 (Peer|Request)Authentication / },
  { name: 'Deployments without a sidecar are in the mesh', by: 'ours', pattern: /^IST01(16|37) Deployment / },
  { name: 'backends of routes of the Gateway API', by: 'ours', pattern: /^IST0101 (HTTP|GRPC)Route / },
  { name: 'Secrets that Istio takes and Envoy refuses', by: 'ours', pattern: /^IST0161 Gateway / },
];

/** The name of what explains it; undefined when nothing does. */
export function explanationOf({ by, finding, tellsWhoRuns }: OneSided): string | undefined {
  return EXPLAINED.find((entry) => entry.by === by && entry.pattern.test(finding) && !(entry.onlyWithoutPods && tellsWhoRuns))?.name;
}
