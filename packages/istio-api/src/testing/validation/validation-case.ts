/** A document of Istio's, as istiod's validation judges it: `test/interop/istiod-validation.test.ts` asks istiod itself. */
export interface ValidationCase {
  readonly kind: string;
  /** What it is about, as the end of a sentence. */
  readonly what: string;
  /** In JSON or flow YAML. */
  readonly spec: string;
  readonly annotations?: string;
  readonly name?: string;
  /** Where the finding stands, and a part of its text; undefined: the document is right. */
  readonly refused?: readonly [path: string, text: string];
}

export const ROUTE = 'route: [{ destination: { host: a } }]';

/** One HTTP route of a VirtualService. */
export const http = (what: string, route: string, path?: string, text = ''): ValidationCase => ({
  kind: 'VirtualService',
  what,
  spec: `{ hosts: [reviews], http: [{ ${route} }] }`,
  ...(path === undefined ? {} : { refused: [`spec.http[0]${path}`, text] }),
});

type CaseOf = (what: string, spec: string, path?: string, text?: string) => ValidationCase;

/** Cases of one kind: what is wrong stands below `spec`. */
export const of =
  (kind: string): CaseOf =>
  (what, spec, path, text = '') => ({
    kind,
    what,
    spec: `{ ${spec} }`,
    ...(path === undefined ? {} : { refused: [`spec${path}`, text] }),
  });

export const virtualService: CaseOf = of('VirtualService');
export const rule: CaseOf = of('DestinationRule');
export const entry: CaseOf = of('ServiceEntry');
export const policy: CaseOf = of('AuthorizationPolicy');
export const gateway: CaseOf = of('Gateway');
export const sidecar: CaseOf = of('Sidecar');
export const group: CaseOf = of('WorkloadGroup');

/** A traffic policy of a DestinationRule. */
export const traffic = (what: string, fields: string, path?: string, text = ''): ValidationCase =>
  rule(what, `host: a, trafficPolicy: { ${fields} }`, path === undefined ? undefined : `.trafficPolicy${path}`, text);

const GROUPS: Readonly<Record<string, string>> = {
  AuthorizationPolicy: 'security.istio.io/v1',
  Telemetry: 'telemetry.istio.io/v1',
  TrafficExtension: 'extensions.istio.io/v1alpha1',
  WasmPlugin: 'extensions.istio.io/v1alpha1',
};

/** The document of a case. */
export function documentOf({ kind, spec, annotations, name = 'x' }: ValidationCase): string {
  return `apiVersion: ${GROUPS[kind] ?? 'networking.istio.io/v1'}
kind: ${kind}
metadata: { name: ${name}, namespace: default${annotations === undefined ? '' : `, annotations: ${annotations}`} }
spec: ${spec}
`;
}
