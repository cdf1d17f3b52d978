/** Where a document stands. Lines and columns count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Kubernetes object metadata, as far as the mesh reads it. `namespace` is '' for cluster-scoped kinds, else always set. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch; documents without one count as oldest (0), ties go by name and namespace. */
  readonly creationTimestamp: number;
  readonly uid?: string;
  /** Of an API server, changes with the object. */
  readonly resourceVersion?: string;
  readonly generateName?: string;
  /** It is being deleted (deletionTimestamp). */
  readonly leaving?: boolean;
  readonly ownerReferences?: readonly {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly controller?: boolean;
  }[];
}

/** One parsed document. `spec` has the JSON form of the API: durations stay strings such as "1.5s", field names camelCase. */
export interface MeshObject<S = unknown> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: S;
  /** Top-level fields other than apiVersion, kind, metadata, spec (a Secret's data, a Pod's status, an EndpointSlice's endpoints). */
  readonly rest: Readonly<Record<string, unknown>>;
  /** Where the spec says null; those fields are left out of `spec`. */
  readonly nulls?: readonly (readonly (string | number)[])[];
  /** The document has no spec; `spec` is empty. */
  readonly lacksSpec?: true;
  readonly source: SourcePosition;
  /** The position of a field, or of the nearest parent that exists: `locate(['spec', 'http', 0, 'route'])`. */
  locate(path: readonly (string | number)[]): SourcePosition;
}

export type Severity = 'error' | 'warning' | 'info';

/** Something to say about a document; an error means that the document is not used. */
export interface Finding {
  /** An Istio code (IST0101) where one exists, else RIPSTOP_… */
  readonly code: string;
  readonly severity: Severity;
  /** `VirtualService default/reviews`; empty when the text could not be read as an object. */
  readonly object: string;
  readonly position: SourcePosition;
  /** `spec.http[0].route`; empty for the object as a whole. */
  readonly path: string;
  /** What is wrong, with the offending value, and how to put it right. */
  readonly message: string;
}

/** `reviews.yaml:12 VirtualService default/reviews spec.http[0].route: weights add up to 0; … [RIPSTOP_WEIGHT_SUM]`. */
export function formatFinding(finding: Finding): string {
  const where = `${finding.position.file}:${finding.position.line}`;
  const subject = [where, finding.object, finding.path].filter((part) => part !== '').join(' ');
  return `${subject}: ${finding.message} [${finding.code}]`;
}
