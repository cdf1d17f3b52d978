import { describe, expect, it } from 'vitest';
import { Exchange, NO_PEER, type RequestHead } from './exchange.ts';
import { localReply } from './local-reply.ts';
import { Pipeline } from './pipeline.ts';
import { PLAIN_MANAGER } from './route/plain-manager.ts';
import type { HttpConnectionManager, Route } from './route/route.ts';
import { createRouteTable } from './route/route-table.ts';

const pipeline = new Pipeline({
  clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
  random: () => 0,
});

/** A table that answers 200 under /admin and has no other route. */
function adminManager(settings: Pick<HttpConnectionManager, 'normalizePath' | 'mergeSlashes' | 'escapedSlashes'>): HttpConnectionManager {
  const admin: Route = {
    name: 'admin',
    matches: ({ matchPath }) => matchPath.startsWith('/admin'),
    action: { kind: 'reply', reply: () => localReply({ status: 200, details: 'direct_response' }) },
    filters: [],
    headers: undefined,
    operation: '',
    source: undefined,
  };
  const host = { name: 'any', domains: ['*'], routes: [admin], includeAttemptCount: false, requireTls: false };
  return { ...PLAIN_MANAGER, routes: createRouteTable('outbound', [host], true), ...settings };
}

function request(path: string): RequestHead {
  return {
    scheme: 'http',
    authority: 'shop',
    method: 'GET',
    path,
    header: () => undefined,
    headerLines: () => [],
    setHeader() {},
    appendHeader() {},
    removeHeader() {},
  };
}

async function outbound(path: string, manager: HttpConnectionManager): Promise<{ status: number | undefined; path: string }> {
  const snapshot = { version: '1', clusters: new Map() } as unknown as Exchange['snapshot'];
  const x = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request: request(path),
    snapshot,
    manager,
    peer: NO_PEER,
    port: 80,
    startedAt: 0,
    parent: undefined,
  });
  const reply = await pipeline.begin(x);
  return { status: reply?.status, path: x.request.path };
}

describe('the path of an outbound call', () => {
  const base = adminManager({ normalizePath: true, mergeSlashes: false, escapedSlashes: 'KEEP_UNCHANGED' });
  const none = adminManager({ normalizePath: false, mergeSlashes: false, escapedSlashes: 'KEEP_UNCHANGED' });

  it('is routed, and sent on, as its connection manager normalises it', async () => {
    expect(await outbound('/a/../admin?x=../y', base)).toEqual({ status: 200, path: '/admin?x=../y' });
    expect(await outbound('/%61dmin', base)).toEqual({ status: 200, path: '/admin' });
    expect(await outbound('/a/../admin', none)).toEqual({ status: 404, path: '/a/../admin' });
  });

  it('loses its fragment', async () => {
    expect(await outbound('/admin#top', none)).toEqual({ status: 200, path: '/admin' });
  });

  it('is refused with a NUL', async () => {
    expect(await outbound('/admin%00', base)).toMatchObject({ status: 400 });
  });
});
