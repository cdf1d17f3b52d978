import { isIP } from 'node:net';

/** Where a workload's metrics are asked for: `host:port`, '' = nowhere; `problem` says why not where it wants them asked for. */
export interface AdminAddress {
  readonly address: string;
  readonly problem: string;
}

const NOWHERE: AdminAddress = { address: '', problem: '' };

/**
 * The admin address that a workload names, as far as the control plane goes there: to the machine that the workload calls from, and to no
 * other, or any member of the mesh could have it ask hosts that only the control plane reaches. `peer`: where the stream came from, as
 * grpc-js says it, `ip:port`; who cannot be placed is asked nowhere. A wildcard is the caller's machine; a loopback address is somebody
 * else's unless the workload is on this machine.
 */
export function adminAddressOf(said: unknown, peer: string): AdminAddress {
  if (typeof said !== 'string' || said === '') return NOWHERE;
  const [host, port] = parted(said);
  const from = callerOf(peer);
  if (host === '' || port === '') return { address: '', problem: `RIPSTOP_ADMIN=${said} is no host:port` };
  if (isLoopback(host)) return isLoopback(from) ? { address: said, problem: '' } : NOWHERE;
  if (from !== '' && (WILDCARDS.has(host) || host === from)) return { address: written(from, port), problem: '' };
  return { address: '', problem: `its metrics are not asked for: RIPSTOP_ADMIN=${said} is not where it calls from (${from || 'unknown'})` };
}

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

function parted(text: string): [host: string, port: string] {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  return [unmapped(bracketed ?? plain), port];
}

/** grpc-js writes IPv6 addresses without brackets. '' = it does not know. */
function callerOf(peer: string): string {
  const address = unmapped(peer.slice(0, Math.max(0, peer.lastIndexOf(':'))));
  return isIP(address) === 0 ? '' : address;
}

/** An IPv4 address inside an IPv6 one is that address. */
function unmapped(host: string): string {
  return host.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
}

function written(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
