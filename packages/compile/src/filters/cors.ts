import { type CorsConfig, createCors, type FilterFactory } from '@ripstop/core';
import { Cors, CorsFilterPolicy, typeUrlOf } from '@ripstop/xds-api';
import { compileStringMatcher } from '../matchers.ts';

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
    return {
      allowOrigin: policy.allowOriginStringMatch.map(compileStringMatcher),
      allowMethods: policy.allowMethods,
      allowHeaders: policy.allowHeaders,
      exposeHeaders: policy.exposeHeaders,
      maxAge: policy.maxAge,
      allowCredentials: policy.allowCredentials ?? false,
      forwardNotMatchingPreflights: policy.forwardNotMatchingPreflights ?? true,
    };
  },
  create: (_config, override) => (override === undefined ? undefined : createCors(override)),
};
