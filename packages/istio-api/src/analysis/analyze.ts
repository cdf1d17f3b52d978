import type { Finding, MeshObject } from '../object.ts';
import { formatPath } from '../path.ts';
import { objectKey } from '../validate.ts';
import { analyzeAnnotations } from './annotations.ts';
import { analyzeAuthorization } from './authorization.ts';
import { analyzeAuthorizers } from './authorizers.ts';
import { analyzeDenyTraps } from './deny-traps.ts';
import { analyzeDeployments } from './deployments.ts';
import { analyzeDestinationRules } from './destination-rules.ts';
import { analyzeEnvoyFilters } from './envoy-filters.ts';
import { analyzeGatewayCertificates } from './gateway-certificates.ts';
import { analyzeGatewayConflicts } from './gateway-conflicts.ts';
import { analyzeGatewayCredentials } from './gateway-credentials.ts';
import { analyzeGatewayPorts } from './gateway-ports.ts';
import { analyzeJwtRoutes } from './jwt-routes.ts';
import { MeshDocuments } from './mesh-documents.ts';
import { severityOf } from './message-types.ts';
import { analyzePolicyIdentities } from './policy-identities.ts';
import type { Analyzer, Say } from './say.ts';
import { analyzeServiceEntries } from './service-entries.ts';
import { analyzeServicePorts } from './service-ports.ts';
import { analyzeSidecars } from './sidecars.ts';
import { analyzeTelemetry } from './telemetry.ts';
import { analyzeRouteConflicts } from './virtual-service-conflicts.ts';
import { analyzeDestinations } from './virtual-service-destinations.ts';
import { analyzeRouteGateways } from './virtual-service-gateways.ts';
import { analyzeRoutes } from './virtual-service-routes.ts';

const ANALYZERS: readonly Analyzer[] = [
  analyzeDestinations,
  analyzeRoutes,
  analyzeRouteGateways,
  analyzeRouteConflicts,
  analyzeJwtRoutes,
  analyzeDestinationRules,
  analyzeAuthorization,
  analyzeAuthorizers,
  analyzeDenyTraps,
  analyzePolicyIdentities,
  analyzeGatewayConflicts,
  analyzeGatewayCredentials,
  analyzeGatewayCertificates,
  analyzeGatewayPorts,
  analyzeServicePorts,
  analyzeServiceEntries,
  analyzeDeployments,
  analyzeSidecars,
  analyzeTelemetry,
  analyzeEnvoyFilters,
  analyzeAnnotations,
];

/** What the objects of a mesh say about each other, with Istio's codes where it has one. Objects must be valid by themselves. */
export function analyze(objects: readonly MeshObject[]): Finding[] {
  const steps = analyzeInSteps(objects);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** The same, for those who have something else to do between two steps. */
export function* analyzeInSteps(objects: readonly MeshObject[]): Generator<void, Finding[]> {
  const mesh = new MeshDocuments(objects);
  yield;
  const findings: Finding[] = [];
  const say: Say = (object, code, path, message) => {
    if (isSuppressed(object, code)) return;
    const position = object.locate(path);
    findings.push({ code, severity: severityOf(code), object: objectKey(object), position, path: formatPath(path), message });
  };
  for (const run of ANALYZERS) {
    run(mesh, say);
    yield;
  }
  return findings;
}

/** `galley.istio.io/analyze-suppress: IST0118,IST0127` on the object, or `*`. */
function isSuppressed({ metadata }: MeshObject, code: string): boolean {
  const codes = metadata.annotations['galley.istio.io/analyze-suppress'];
  return codes?.split(',').some((entry) => entry.trim() === '*' || entry.trim() === code) === true;
}
