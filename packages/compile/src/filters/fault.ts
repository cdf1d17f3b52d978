import { createFault, type FaultConfig, type FaultShare, type FilterFactory } from '@ripstop/core';
import { HTTPFault, typeUrlOf } from '@ripstop/xds-api';
import { compileHeaderMatcher } from '../matchers.ts';
import { fraction, milliseconds } from '../values.ts';

export const fault: FilterFactory<FaultConfig> = {
  typeUrl: typeUrlOf(HTTPFault.$type),
  directions: ['outbound', 'inbound'],
  decode: decodeFault,
  // The most specific configuration replaces the others whole.
  create: (config, override, env) => createFault(override ?? config, env),
};

function decodeFault(body: Uint8Array): FaultConfig {
  const message = HTTPFault.decode(body);
  const unsupported =
    (message.upstreamCluster !== '' && 'upstream_cluster') ||
    (message.downstreamNodes.length > 0 && 'downstream_nodes') ||
    (message.responseRateLimit !== undefined && 'response_rate_limit');
  if (unsupported) throw new Error(`fault: ${unsupported} is not supported`);
  return {
    delay: delayOf(message.delay),
    abort: abortOf(message.abort),
    headers: message.headers.map((matcher) => compileHeaderMatcher(matcher)),
    maxActiveFaults: message.maxActiveFaults,
  };
}

function delayOf(message: HTTPFault['delay']): FaultConfig['delay'] {
  const how = message?.faultDelaySecifier;
  if (how === undefined) return undefined;
  const share: FaultShare = fraction(message?.percentage);
  return { share, fixedMs: how.$case === 'headerDelay' ? undefined : milliseconds(how.value, 0) };
}

function abortOf(message: HTTPFault['abort']): FaultConfig['abort'] {
  const how = message?.errorType;
  if (how === undefined) return undefined;
  const share: FaultShare = fraction(message?.percentage);
  switch (how.$case) {
    case 'headerAbort':
      return { share, status: undefined };
    case 'grpcStatus':
      return { share, status: { http: 200, grpc: how.value } };
    case 'httpStatus':
      if (how.value < 200 || how.value > 599) throw new Error(`fault abort with status ${how.value}; it must be from 200 to 599`);
      return { share, status: { http: how.value, grpc: undefined } };
  }
}
