import { createFault, type FaultConfig, type FilterFactory } from '@ripstop/core';
import { HTTPFault, typeUrlOf } from '@ripstop/xds-api';
import { milliseconds, percent } from '../values.ts';

export const fault: FilterFactory<FaultConfig> = {
  typeUrl: typeUrlOf(HTTPFault.$type),
  directions: ['outbound', 'inbound'],
  decode: decodeFault,
  // The most specific configuration replaces the others whole.
  create: (config, override, env) => createFault(override ?? config, env),
};

function decodeFault(body: Uint8Array): FaultConfig {
  const message = HTTPFault.decode(body);
  if (message.headers.length > 0 || message.upstreamCluster !== '')
    throw new Error('fault conditions on headers or upstream cluster are not supported');
  const delay = message.delay?.faultDelaySecifier;
  const abort = message.abort?.errorType;
  if (delay?.$case === 'headerDelay' || abort?.$case === 'headerAbort')
    throw new Error('faults controlled by request headers are not supported');
  return {
    delay: delay === undefined ? undefined : { percent: percent(message.delay?.percentage), fixedMs: milliseconds(delay.value, 0) },
    abort:
      abort === undefined
        ? undefined
        : {
            percent: percent(message.abort?.percentage),
            httpStatus: abort.$case === 'httpStatus' ? abort.value : 200,
            grpcStatus: abort.$case === 'grpcStatus' ? abort.value : undefined,
          },
  };
}
