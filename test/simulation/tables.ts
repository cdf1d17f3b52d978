import type { Table } from './row.ts';
import { allowNothing, denyAll, observed, policies } from './table/authorization.ts';
import { callerHeaders } from './table/caller-headers.ts';
import { gatewayCodec, serverCodec } from './table/codec.ts';
import { compressedServer } from './table/compression.ts';
import { destinations } from './table/destinations.ts';
import { extensionDiscovery } from './table/extension-discovery.ts';
import {
  authorizerSeesBodies,
  badAuthorizer,
  boundedBodies,
  externalAuthorization,
  gatewayAuthorization,
} from './table/external-authorization.ts';
import { besideGateway, gateway } from './table/gateway.ts';
import { load } from './table/load.ts';
import { localReplies } from './table/local-replies.ts';
import { methodsAndBodies } from './table/methods-and-bodies.ts';
import { disabled, permissive, strict } from './table/mutual-tls.ts';
import { outboundPolicy } from './table/outbound-policy.ts';
import { claimRoutes, issuers, tokens } from './table/request-authentication.ts';
import { resilience } from './table/resilience.ts';
import { retryConditions } from './table/retry-conditions.ts';
import { rewriting } from './table/rewriting.ts';
import { routing } from './table/routing.ts';

/** Every table, for every runner. */
export const tables: readonly Table[] = [
  routing,
  rewriting,
  localReplies,
  resilience,
  load,
  destinations,
  besideGateway,
  gateway,
  denyAll,
  allowNothing,
  policies,
  observed,
  externalAuthorization,
  authorizerSeesBodies,
  boundedBodies,
  badAuthorizer,
  gatewayAuthorization,
  permissive,
  strict,
  disabled,
  serverCodec,
  gatewayCodec,
  compressedServer,
  tokens,
  issuers,
  claimRoutes,
  retryConditions,
  callerHeaders,
  methodsAndBodies,
  outboundPolicy,
  extensionDiscovery,
];
