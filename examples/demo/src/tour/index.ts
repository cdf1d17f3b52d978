import { myService } from './01-my-service.ts';
import { weightedSplit } from './02-weights.ts';
import { headerRouting } from './03-headers.ts';
import { faults } from './04-faults.ts';
import { circuitBreaking } from './05-circuit-breaking.ts';
import { mutualTls } from './06-mtls.ts';
import { authorization } from './07-authorization.ts';
import { certificates } from './08-certificates.ts';
import { brokenYaml } from './09-broken-yaml.ts';
import { controlPlaneDown } from './10-control-plane-down.ts';
import { endpoints } from './11-endpoints.ts';
import { observability } from './12-observability.ts';
import type { Step } from './step.ts';

/** The tour, in order; later steps rely on the YAML that earlier ones left in place. */
export const TOUR: readonly Step[] = [
  myService,
  weightedSplit,
  headerRouting,
  faults,
  circuitBreaking,
  mutualTls,
  authorization,
  certificates,
  brokenYaml,
  controlPlaneDown,
  endpoints,
  observability,
];
