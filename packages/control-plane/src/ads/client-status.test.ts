import { CLUSTER_TYPE_URL, ClientStatusRequest, ConfigStatus } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { FakeScheduler } from '../testing/fake-scheduler.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { clientStatus } from './client-status.ts';
import { XdsSession } from './xds-session.ts';

const WEB = 'outbound|80||web.default.svc.cluster.local';

/** A client that was sent the cluster of `web` and answers it. */
function client(name: string, error?: string | null): XdsSession {
  let nonce = '';
  const session = new XdsSession({
    node: sidecar(name),
    push: pushOf(service('web')),
    scheduler: new FakeScheduler(),
    stateOfTheWorld: false,
    send: (response) => {
      nonce = response.nonce;
    },
    onRefused: () => {},
    onProblem: () => {},
  });
  session.request({ typeUrl: CLUSTER_TYPE_URL, subscribe: [WEB], unsubscribe: [], initialVersions: {}, nonce: '', error: undefined });
  if (error !== null) session.answer(CLUSTER_TYPE_URL, nonce, error);
  return session;
}

describe('client status', () => {
  const sessions = [client('took'), client('waits', null), client('refused', 'no')];

  it('says of each client what it has and whether it took it', () => {
    const answer = clientStatus(sessions, ClientStatusRequest.fromPartial({}));
    if ('code' in answer) throw new Error(answer.details);
    const rows = answer.config.map(({ node, genericXdsConfigs: [first] }) => [node!.id.split('~')[2], first!.name, first!.configStatus]);
    expect(rows).toEqual([
      ['took.default', WEB, ConfigStatus.SYNCED],
      ['waits.default', WEB, ConfigStatus.STALE],
      ['refused.default', WEB, ConfigStatus.ERROR],
    ]);
    expect(answer.config[0]!.genericXdsConfigs[0]).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, xdsConfig: undefined });
    expect(answer.config[0]!.genericXdsConfigs[0]!.versionInfo).toMatch(/\S{16}/);
  });

  it('is of the client that is asked for by its id, and refuses to guess what other matchers mean', () => {
    const asked = (nodeId: object) => clientStatus(sessions, ClientStatusRequest.fromPartial({ nodeMatchers: [{ nodeId }] }));
    const one = asked({ matchPattern: { $case: 'exact', value: sessions[1]!.node.id } });
    expect('config' in one && one.config.map(({ node }) => node!.id)).toEqual([sessions[1]!.node.id]);
    expect(asked({ matchPattern: { $case: 'prefix', value: 'sidecar' } })).toMatchObject({
      details: expect.stringContaining('node_id.exact'),
    });
  });
});
