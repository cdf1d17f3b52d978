import { type ClusterLoadAssignment, ENDPOINT_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { WorkloadInstance } from '../model/workload.ts';
import { instance, pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from './translate.ts';

const HERE = sidecar('web-1', 'default', { LABELS: { app: 'web', version: 'v1', 'istio-locality': 'eu.a.1' } });

const at = (address: string, place: string, version = 'v1'): WorkloadInstance => {
  const [region = '', zone = '', subZone = ''] = place.split('.');
  return { ...instance('cart', address, version), locality: { region, zone, subZone } };
};

const CARTS = [
  at('10.0.0.1', 'eu.a.1'),
  at('10.0.0.2', 'eu.a.2'),
  at('10.0.0.3', 'eu.b'),
  at('10.0.0.4', 'us.a'),
  at('10.0.0.5', 'as.a', 'v2'),
];

/** `<last byte>: priority/weight` of each place that has somebody to call. */
function assignment(policy: string, node = HERE, mesh: object = {}): string {
  const rule =
    policy === ''
      ? ''
      : `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: cart }\nspec: { host: cart, trafficPolicy: ${policy} }\n`;
  const push = pushOf(service('cart') + rule, CARTS, mesh);
  const [resource] = translate(ENDPOINT_TYPE_URL, node, push, ['outbound|80||cart.default.svc.cluster.local']);
  const { endpoints } = resource!.message as ClusterLoadAssignment;
  return endpoints
    .flatMap(({ priority, loadBalancingWeight, lbEndpoints }) =>
      lbEndpoints.map(({ hostIdentifier }) => {
        const address = hostIdentifier?.$case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
        const last = address?.$case === 'socketAddress' ? address.value.address.split('.').at(-1) : '?';
        return `${last}: ${priority}/${loadBalancingWeight}`;
      }),
    )
    .sort()
    .join(', ');
}

const OUTLIER = 'outlierDetection: { consecutive5xxErrors: 5 }';
const ALIKE = '1: 0/1, 2: 0/1, 3: 0/1, 4: 0/1, 5: 0/1';

describe('near endpoints first', () => {
  it.each([
    ['not without outlier detection', '', ALIKE],
    ['here, zone, region, elsewhere', `{ ${OUTLIER} }`, '1: 0/1, 2: 1/1, 3: 2/1, 4: 3/1, 5: 3/1'],
    ['not when it is switched off', `{ ${OUTLIER}, loadBalancer: { localityLbSetting: { enabled: false } } }`, ALIKE],
    [
      'with the region to fail over to before the others',
      `{ ${OUTLIER}, loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: as }] } } }`,
      '1: 0/1, 2: 1/1, 3: 2/1, 4: 4/1, 5: 3/1',
    ],
    [
      'by labels in their order, without gaps',
      `{ ${OUTLIER}, loadBalancer: { localityLbSetting: { failoverPriority: [version, topology.kubernetes.io/region] } } }`,
      '1: 0/1, 2: 0/1, 3: 0/1, 4: 1/1, 5: 2/1',
    ],
    [
      'by the value that a label is to have',
      `{ ${OUTLIER}, loadBalancer: { localityLbSetting: { failoverPriority: ["version=v2"] } } }`,
      '1: 1/1, 2: 1/1, 3: 1/1, 4: 1/1, 5: 0/1',
    ],
    [
      'by shares, split over the endpoints of a place; nobody outside the rule',
      '{ loadBalancer: { localityLbSetting: { distribute: [{ from: "eu/*", to: { "eu/a/*": 80, "us/*": 20 } }] } } }',
      '1: 0/40, 2: 0/40, 4: 0/20',
    ],
    [
      'not by shares that are for others',
      '{ loadBalancer: { localityLbSetting: { distribute: [{ from: "us/*", to: { "us/*": 100 } }] } } }',
      ALIKE,
    ],
    [
      'in the region, when zones count',
      '{ loadBalancer: { zoneAwareLbSetting: { enabled: true } } }',
      '1: 0/1, 2: 0/1, 3: 0/1, 4: 1/1, 5: 1/1',
    ],
  ])('%s', (_what, policy, expected) => {
    expect(assignment(policy)).toBe(expected);
  });

  it('is the same for all when nobody says where the client is', () => {
    expect(assignment(`{ ${OUTLIER} }`, sidecar())).toBe(ALIKE);
  });

  it("is the mesh's choice where a rule makes none", () => {
    const mesh = { localityLbSetting: { failover: [{ from: 'eu', to: 'as' }] } };
    expect(assignment(`{ ${OUTLIER} }`, HERE, mesh)).toBe('1: 0/1, 2: 1/1, 3: 2/1, 4: 4/1, 5: 3/1');
    expect(assignment(`{ ${OUTLIER} }`, HERE, { localityLbSetting: { enabled: false } })).toBe(ALIKE);
  });
});

describe('subsets by place', () => {
  it.each([
    ['topology.kubernetes.io/region', 'eu', ['10.0.0.1', '10.0.0.2', '10.0.0.3']],
    ['topology.kubernetes.io/zone', 'a', ['10.0.0.1', '10.0.0.2', '10.0.0.4', '10.0.0.5']],
    ['topology.istio.io/subzone', '2', ['10.0.0.2']],
    ['kubernetes.io/hostname', 'n1', []],
  ])('%s: %s', (label, value, expected) => {
    const rule = `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: cart }\nspec: { host: cart, subsets: [{ name: s, labels: { ${label}: "${value}" } }] }\n`;
    const [resource] = translate(ENDPOINT_TYPE_URL, HERE, pushOf(service('cart') + rule, CARTS), [
      'outbound|80|s|cart.default.svc.cluster.local',
    ]);
    const { endpoints } = resource!.message as ClusterLoadAssignment;
    const addresses = endpoints.flatMap(({ lbEndpoints }) => lbEndpoints.map((endpoint) => JSON.stringify(endpoint)));
    expect(CARTS.map(({ address }) => address).filter((address) => addresses.some((text) => text.includes(`"${address}"`)))).toEqual(
      expected,
    );
  });
});
