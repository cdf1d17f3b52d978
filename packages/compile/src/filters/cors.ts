import { type CorsConfig, createCors, type FilterFactory } from '@ripstop/core';
import { Cors, CorsFilterPolicy, typeUrlOf } from '@ripstop/xds-api';
import { compileStringMatcher } from '../matchers.ts';
import { percent } from '../values.ts';

const NOTHING: CorsConfig = {
  allowOrigin: [],
  allowMethods: '',
  allowHeaders: '',
  exposeHeaders: '',
  maxAge: '',
  allowCredentials: false,
  forwardNotMatchingPreflights: true,
};

/** The filter itself carries nothing; the policy comes per route. */
export const cors: FilterFactory<CorsConfig> = {
  typeUrl: typeUrlOf(Cors.$type),
  overrideTypeUrl: typeUrlOf(CorsFilterPolicy.$type),
  directions: ['outbound', 'inbound'],
  decode: () => NOTHING,
  decodeOverride: (body) => {
    const policy = CorsFilterPolicy.decode(body);
    // A policy that is switched off (filter_enabled below a chance of one) does nothing.
    if (policy.filterEnabled !== undefined && percent(policy.filterEnabled.defaultValue) === 0) return NOTHING;
    return {
      allowOrigin: policy.allowOriginStringMatch.map(compileStringMatcher),
      allowMethods: policy.allowMethods,
      allowHeaders: policy.allowHeaders,
      exposeHeaders: policy.exposeHeaders,
      maxAge: policy.maxAge,
      allowCredentials: policy.allowCredentials ?? false,
      forwardNotMatchingPreflights: policy.forwardNotMatchingPreflights ?? true,
      allowPrivateNetwork: policy.allowPrivateNetworkAccess ?? false,
    };
  },
  create: (_config, override) => (override === undefined ? undefined : createCors(override)),
};
