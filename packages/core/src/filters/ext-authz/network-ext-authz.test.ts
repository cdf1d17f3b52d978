import { describe, expect, it } from 'vitest';
import type { FilterEnv } from '../../filter.ts';
import { FilterCounters } from '../../filter-counters.ts';
import type { LocalReply } from '../../local-reply.ts';
import { exchange, FakeClock } from '../../testing/fakes.ts';
import { type ConnectionVerdict, createNetworkExtAuthz, type NetworkExtAuthzConfig } from './network-ext-authz.ts';

const OK: ConnectionVerdict = { kind: 'ok', metadata: { user: 'u' } };
const DENIED: ConnectionVerdict = { kind: 'denied', metadata: { why: 'w' } };
const ERROR: ConnectionVerdict = { kind: 'error' };

async function judge(verdict: ConnectionVerdict, config: Partial<NetworkExtAuthzConfig> = {}) {
  const counters = new FilterCounters();
  const env: FilterEnv = { counters, clock: new FakeClock(), random: () => 0, direction: 'outbound', state: (_key, create) => create() };
  const authorizer = { ask: () => Promise.resolve(verdict) };
  const filter = createNetworkExtAuthz({ authorizer, failureModeAllow: false, enabledWhen: undefined, statPrefix: 'tcp', ...config }, env);
  const x = exchange();
  const reply = (await filter.onRequest!(x)) as LocalReply | undefined;
  const counts = counters.all().flatMap(({ name, value }) => (value > 0 ? [`${name.replace('envoy_ext_authz_tcp_', '')} ${value}`] : []));
  return { reply, counts, metadata: x.metadata && Object.fromEntries(x.metadata) };
}

describe('external authorization of connections', () => {
  it.each<
    [what: string, verdict: ConnectionVerdict, config: Partial<NetworkExtAuthzConfig>, details: string | undefined, counts: string[]]
  >([
    ['lets pass what is allowed', OK, {}, undefined, ['ok 1', 'total 1']],
    ['closes what is denied', DENIED, {}, 'ext_authz_denied', ['denied 1', 'total 1', 'cx_closed 1']],
    ['closes when nobody could be asked', ERROR, {}, 'ext_authz_error', ['error 1', 'total 1', 'cx_closed 1']],
    [
      'lets pass then where that is allowed',
      ERROR,
      { failureModeAllow: true },
      undefined,
      ['error 1', 'total 1', 'failure_mode_allowed 1'],
    ],
    ['closes what is denied there too', DENIED, { failureModeAllow: true }, 'ext_authz_denied', ['denied 1', 'total 1', 'cx_closed 1']],
    ['asks nobody about others', DENIED, { enabledWhen: () => false }, undefined, ['disabled 1']],
  ])('%s', async (_what, verdict, config, details, counts) => {
    const seen = await judge(verdict, config);
    expect(seen.reply?.details).toBe(details);
    expect(seen.reply?.flags).toBe(details === undefined ? undefined : 0x1000);
    expect(seen.counts).toEqual(counts);
  });

  it('keeps the authorizer’s metadata, of denials as well', async () => {
    expect((await judge(OK)).metadata).toEqual({ 'envoy.filters.network.ext_authz': { user: 'u' } });
    expect((await judge(DENIED)).metadata).toEqual({ 'envoy.filters.network.ext_authz': { why: 'w' } });
    expect((await judge(ERROR, { failureModeAllow: true })).metadata).toBeUndefined();
  });
});
