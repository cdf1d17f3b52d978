import { createBuffer, type FilterFactory } from '@ripstop/core';
import { BufferPerRoute, Buffer as Message, typeUrlOf } from '@ripstop/xds-api';

/** `off` = a route switches it off. */
type Config = number | 'off';

export const buffer: FilterFactory<Config> = {
  typeUrl: typeUrlOf(Message.$type),
  overrideTypeUrl: typeUrlOf(BufferPerRoute.$type),
  directions: ['inbound', 'outbound'],
  decode: (body) => limitOf(Message.decode(body)),
  decodeOverride: (body) => {
    const { override } = BufferPerRoute.decode(body);
    if (override?.$case === 'buffer') return limitOf(override.value);
    if (override?.value !== true) throw new Error('buffer per route: neither disabled nor buffer');
    return 'off';
  },
  create: (config, override = config) => (override === 'off' ? undefined : createBuffer(override)),
};

function limitOf({ maxRequestBytes = 0 }: Message): number {
  if (maxRequestBytes === 0) throw new Error('buffer: max_request_bytes must be above 0');
  return maxRequestBytes;
}
