import type { Address } from '@ripstop/xds-api';
import { socketAddress } from './inbound-listener.ts';
import type { FieldsOf } from './values.ts';

const UNIX = 'unix://';

/** `unix://<path>` is a pipe, all else an address with its port (Istio: BuildAddress). */
export function addressOf(bind: string, port: number): FieldsOf<typeof Address> {
  if (port !== 0) return socketAddress(bind, port);
  return { address: { $case: 'pipe', value: { path: bind.startsWith(UNIX) ? bind.slice(UNIX.length) : bind } } };
}
