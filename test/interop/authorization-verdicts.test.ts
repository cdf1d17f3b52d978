import { mkdtempSync, rmSync } from 'node:fs';
import { METHODS } from 'node:http';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { RawClient } from '../../packages/server/src/testing/raw-client.ts';
import { CASES, Calls, exchange, filterJson, filterOf, policiesBehind, present } from '../conformance/authorization-calls.ts';
import type { Call } from '../conformance/authorization-policy.ts';
import { EnvoyProcess } from './envoy/envoy-process.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: verdicts of policies beside a real Envoy: ${envoy.missing}`);

const CALLS = 400;
/** The PROXY protocol gives a connection any address and port to go to; the direct peer stays the socket's. */
const SAYABLE: ReadonlySet<string> = new Set(METHODS);

/** Envoy with one listener: addresses by PROXY protocol, the filter in question, and 200 for whoever passes. */
function config(filter: object): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'inbound',
    normalize_path: true,
    http_filters: [
      filter,
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] }],
    },
  };
  const proxied = {
    name: 'envoy.filters.listener.proxy_protocol',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol' },
  };
  return {
    admin: { address },
    static_resources: {
      listeners: [
        {
          name: 'policies',
          address,
          listener_filters: [proxied],
          filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
        },
      ],
    },
  };
}

/** The call as a caller without certificate and token makes it; undefined = it cannot be said in HTTP/1. */
function sayable(call: Call): Call | undefined {
  const plain: Call = { ...call, principal: '', claims: undefined, extra: undefined, sni: '', ip: '127.0.0.1' };
  if (isIP(plain.destinationIp) !== 4 || !(plain.port > 0 && plain.port < 65_536)) return undefined;
  if (!SAYABLE.has(plain.method) || plain.method === 'CONNECT' || !/^\/[\w./-]*$/.test(plain.path) || !/^[\w.:-]+$/.test(plain.host))
    return undefined;
  // What normalisation would change is tried elsewhere (test/security/envoy-paths.test.ts).
  return /\/\/|\/\.\.?(?:\/|$)/.test(plain.path) ? undefined : plain;
}

async function statusOf(port: number, call: Call): Promise<number> {
  const client = await RawClient.open(port);
  const lines = [
    `${call.method} ${call.path} HTTP/1.1`,
    `Host: ${call.host}`,
    ...(call.header === undefined ? [] : [`x-header: ${call.header}`, `x-abc: ${call.header}`]),
    ...(call.remoteIp === '' ? [] : [`x-forwarded-for: ${call.remoteIp}`]),
    ...(call.method === 'QUERY' ? ['content-type: text/plain'] : []),
  ];
  client.write(`PROXY TCP4 ${call.ip} ${call.destinationIp} 4000 ${call.port}\r\n${lines.join('\r\n')}\r\n\r\n`);
  const { status } = await client.response(call.method);
  client.close();
  return status;
}

describe.skipIf('missing' in envoy || !present)('filters that istiod makes of policies decide as in a real Envoy', () => {
  const binary = 'missing' in envoy ? '' : envoy.path;

  it.each(CASES.map((one) => ({ one, name: one[1] })))('$name', async ({ one }) => {
    const [, output, trust] = one;
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-verdicts-'));
    try {
      await using peer = await EnvoyProcess.start(binary, folder, config(filterJson(`${output}.yaml`)));
      const port = await peer.listenerPort('policies');
      const ours = filterOf(`${output}.yaml`, { headerMatch: 'envoy', pathBinding: 'istio' });
      const strict = filterOf(`${output}.yaml`);
      const calls = new Calls(policiesBehind(one), trust, 20_261_126);
      let tried = 0;
      for (let count = 0; count < CALLS * 10 && tried < CALLS; count++) {
        const call = sayable(calls.next());
        if (call === undefined) continue;
        const status = await statusOf(port, call);
        if (status === 400) continue; // Envoy's codec knows fewer methods than node:http.
        tried++;
        const denied = (await ours.onRequest?.(exchange(call))) !== undefined;
        expect({ call, denied }).toEqual({ call, denied: status === 403 });
        if (status === 403) expect(await strict.onRequest?.(exchange(call)), JSON.stringify(call)).toBeDefined();
      }
      // The full rules of some goldens ask for methods that no HTTP caller can name.
      expect(tried).toBeGreaterThan(10);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
