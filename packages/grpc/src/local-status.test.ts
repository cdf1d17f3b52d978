import grpc from '@grpc/grpc-js';
import { createReplyRewrite, localReply, type ReplyMapper } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { bindMeshServer } from './bind-mesh-server.ts';
import { createGrpcChannelOptions } from './channel-options.ts';
import { meshCredentials } from './mesh-credentials.ts';
import { meshTarget } from './mesh-target.ts';
import { failure, Greeter, greeterService } from './testing/greeter.ts';
import { forwardTo, inboundChain, MeshDouble, managerOf, realClock, routeOf } from './testing/mesh-double.ts';

const PORT = 50051;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const DENIED = localReply({ status: 403, details: 'denied', body: 'no', headers: [['x-why', 'policy']] });
const deny = { name: 'deny', onRequest: () => DENIED };
const mapper: ReplyMapper = {
  matches: (_x, { status }) => status === 403,
  status: 429,
  body: 'not so fast',
  headers: {
    onRequest() {},
    onResponse: (_x, head) => {
      head.setHeader('x-mapped', '1');
    },
  },
  format: { contentType: 'application/json', render: ({ localReplyBody, outcome }) => `{"${localReplyBody}":${outcome.status}}\n` },
};
const rewriteReply = createReplyRewrite([mapper], undefined, realClock);

async function serverAt(rewrites: boolean): Promise<Greeter> {
  const chain = inboundChain(PORT, []);
  const { action } = chain.http!.routes.virtualHosts[0]!.routes[0]!;
  const http = managerOf([routeOf(action, { filters: [deny] })], rewrites ? { rewriteReply } : {});
  const server = new grpc.Server();
  server.addService(greeterService, {
    greet: (_call: unknown, callback: grpc.sendUnaryData<unknown>) => callback(null, { text: '' }),
    collect: () => {},
    list: () => {},
    chat: () => {},
  });
  const { port, close } = await bindMeshServer(server, new MeshDouble({ inbound: [{ ...chain, http }] }), { workloadPort: PORT, port: 0 });
  cleanups.push(() => close({ drainMs: 0 }));
  return new Greeter(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
}

function clientWith(rewrites: boolean): Greeter {
  const double = new MeshDouble({
    routes: [routeOf(forwardTo('greeter'), { filters: [deny] })],
    ...(rewrites ? { manager: { rewriteReply } } : {}),
  });
  return new Greeter(meshTarget('greeter', PORT), meshCredentials(), createGrpcChannelOptions(double));
}

describe.each([
  ['server', serverAt],
  ['client', async (rewrites: boolean) => clientWith(rewrites)],
] as const)('a local reply of a gRPC %s', (_side, start) => {
  it.each([
    [false, [7, 'no', 'policy', undefined]],
    [true, [14, '{"not so fast":429}', 'policy', '1']],
  ])('is a status; rewritten by its connection manager: %s', async (rewrites, expected) => {
    const client = await start(rewrites);
    cleanups.push(() => client.close());
    const { code, details, metadata } = await failure(client.greet('x'));
    expect([code, details, metadata.get('x-why')[0], metadata.get('x-mapped')[0]]).toEqual(expected);
    expect(metadata.get('grpc-status')).toEqual([]);
  });
});
