import { buffer } from './filters/buffer.ts';
import { compressor } from './filters/compressor.ts';
import { connectionLimit, connectionRateLimit } from './filters/connection-limits.ts';
import { cors } from './filters/cors.ts';
import { type AnyFilterFactory, erase } from './filters/decoded-filter.ts';
import { extAuthz } from './filters/ext-authz/ext-authz.ts';
import { networkExtAuthz } from './filters/ext-authz/network-ext-authz.ts';
import { fault } from './filters/fault.ts';
import { headerMutation } from './filters/header-mutation.ts';
import { localRateLimit } from './filters/local-rate-limit.ts';
import { onDemand } from './filters/on-demand.ts';
import { rateLimit } from './filters/rate-limit.ts';
import { networkRbacFilter, type RbacSettings, rbacFilter } from './filters/rbac.ts';
import { skippedFilters } from './filters/skipped.ts';
import { statefulSession } from './filters/stateful-session.ts';
import { wasm } from './filters/wasm.ts';

/** The filters that Ripstop knows, as a value: each mesh has its own registry, and users add theirs to it. */
export function standardFilters(settings: RbacSettings = {}): readonly AnyFilterFactory[] {
  return [
    erase(fault),
    erase(cors),
    erase(rbacFilter(settings)),
    erase(networkRbacFilter(settings)),
    erase(extAuthz),
    erase(networkExtAuthz),
    erase(connectionLimit),
    erase(connectionRateLimit),
    erase(localRateLimit),
    erase(rateLimit),
    erase(headerMutation),
    erase(buffer),
    erase(compressor),
    erase(statefulSession),
    erase(onDemand),
    erase(wasm),
    ...skippedFilters,
  ];
}
