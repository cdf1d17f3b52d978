import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';

const MAX_BYTES = 1024 * 1024;

/** Addresses that are never dialled: cloud metadata services hand out credentials at them. */
const LINK_LOCAL: readonly string[] = ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254/128'];

/** Reads a small document. Rejects with a reason fit for people. */
export type Get = (url: string, timeoutMs: number) => Promise<string>;

/**
 * GET for URLs that stand in configuration: http and https only, no redirects, at most 1 MiB and `timeoutMs` as a whole, and no
 * connection to a blocked address, whatever a name resolves to at that moment.
 */
export function guardedGet(blockedCidrs: readonly string[] = []): Get {
  const blocked = blockListOf([...LINK_LOCAL, ...blockedCidrs]);
  return (url, timeoutMs) => get(url, timeoutMs, blocked);
}

function get(url: string, timeoutMs: number, blocked: BlockList): Promise<string> {
  const target = new URL(url);
  const { hostname } = target;
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  const client = { 'http:': http, 'https:': https }[target.protocol];
  if (client === undefined) return Promise.reject(new Error(`scheme ${target.protocol}// is not fetched`));
  // A name is looked up through `lookup`; an address is not.
  if (isIP(host) !== 0 && isBlocked(blocked, host)) return Promise.reject(new Error(`address ${host} is blocked`));
  return new Promise((resolve, reject) => {
    const request = client.get(target, {
      agent: false,
      headers: { accept: 'application/json', 'accept-encoding': 'identity' },
      lookup: guardedLookup(blocked),
    });
    const timer = setTimeout(() => fail(new Error(`no complete answer within ${timeoutMs} ms`)), timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      request.destroy();
      reject(error);
    };
    request.on('error', fail);
    request.on('response', (response) => {
      const status = response.statusCode!;
      if (status !== 200) return fail(new Error(`status ${status}${status >= 300 && status < 400 ? '; redirects are not followed' : ''}`));
      const coding = response.headers['content-encoding'] ?? 'identity';
      if (coding !== 'identity') return fail(new Error(`content-encoding ${coding} was not asked for`));
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BYTES) fail(new Error(`more than ${MAX_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('aborted', () => fail(new Error('the answer broke off')));
      response.on('end', () => {
        clearTimeout(timer);
        resolve(Buffer.concat(chunks).toString('utf8'));
      });
    });
  });
}

/** Every address of a name must be allowed: which one is dialled is decided later. */
function guardedLookup(blocked: BlockList): LookupFunction {
  return (name, options, callback) => {
    dnsLookup(name, { ...(options as LookupOptions), all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, '', 0);
      const bad = addresses.find(({ address }) => isBlocked(blocked, address));
      if (bad !== undefined) return callback(new Error(`${name} has the address ${bad.address}, which is blocked`), '', 0);
      if ((options as LookupOptions).all === true) return callback(null, addresses as never, 0);
      callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}

function isBlocked(blocked: BlockList, address: string): boolean {
  return blocked.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function blockListOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address, bits] = cidr.split('/') as [string, string];
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
