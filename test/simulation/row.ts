/** One request. */
export interface Call {
  /** Absolute, as an app writes it. The path goes out as it stands here. */
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** Places `gateway` and `server`: the bytes of the request instead of all the above, a character a byte. */
  readonly raw?: string;
  /** Tables of the place `server`: whose certificate the caller shows; default none, in plaintext. */
  readonly as?: { readonly serviceAccount: string; readonly namespace?: string };
}

/** How an upstream answers one request. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** In the place of `body`: a character a byte. */
  readonly bytes?: string;
  /** Milliseconds before the answer. */
  readonly afterMs?: number;
  /** Ends the connection instead of answering. */
  readonly hangUp?: boolean;
}

/** What the YAML means for the call. Left out: not looked at (what Envoy and the SDK do is compared all the same). */
export interface Expectation {
  /** 0: the connection ends without a response. */
  readonly status?: number;
  readonly body?: string;
  /** Tables of xDS text: flags and details of the access log, e.g. `UH no_healthy_upstream`. */
  readonly account?: string;
  /** Response headers; undefined: must not be there. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Workloads that saw the request, attempt by attempt. */
  readonly to?: readonly string[];
  /** Method, path and headers that the last of them saw. */
  readonly method?: string;
  readonly path?: string;
  readonly sees?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds that the call takes at least and at most. */
  readonly takesMs?: readonly [number, number];
  /** Rows of several calls: how many got which status. */
  readonly statuses?: Readonly<Record<number, number>>;
  /** Rows of many calls: the share of each workload, or of each status, within what chance allows. */
  readonly shares?: Readonly<Record<string, number>>;
}

/** One line of the table: the same call, through a real Envoy and through the SDK. */
export interface Row {
  readonly name: string;
  readonly call: Call;
  /** How many times; default once. */
  readonly times?: number;
  /** True: all at once, each on a connection of its own. Else one after the other. */
  readonly concurrently?: boolean;
  /** How many requests upstreams see, when some of them come after the reply (mirrors); they are compared by workload then. */
  readonly arrives?: number;
  /** Answers of the upstreams, in order; default 200 with the workload's name. */
  readonly upstream?: readonly Answer[];
  readonly expect: Expectation;
  /** Where the SDK is known not to do as Envoy: exactly these lines of the comparison, and why. */
  readonly differs?: { readonly because: string; readonly lines: readonly string[] };
  /** Where the SDK refuses on purpose what Envoy lets through: with this status, before any upstream sees it. */
  readonly stricter?: { readonly because: string; readonly status: number };
}

/** Rows that share one mesh, and the place in it where an Envoy and the SDK stand. */
export interface Table {
  readonly name: string;
  /**
   * `sidecar`: the way out of a workload with the label `app: client`.
   * `gateway`: the ingress gateway with the label `istio: ingressgateway`, server port 80.
   * `server`: the way into the workload `app: served`; hosts of URLs are only the Host header then.
   */
  readonly place: 'sidecar' | 'gateway' | 'server';
  /** Documents; `${port:echo-v1}` is the port of a workload. Services `echo` (subsets v1 and v2), `other` and `served` on port 80 stand already. */
  readonly yaml: string;
  readonly rows: readonly Row[];
  /** Codes of the errors that the control plane is to find in the YAML; default none. */
  readonly findings?: readonly string[];
}
