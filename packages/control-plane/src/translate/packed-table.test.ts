import { ROUTE_TYPE_URL, type RouteConfiguration } from '@ripstop/xds-api';
import { expect, it } from 'vitest';
import type { ProxySettings } from '../push/proxy-settings.ts';
import { packedTable } from './packed-table.ts';
import { packed } from './resource.ts';
import { routeConfiguration, type VirtualHostFields, virtualHost } from './route-configuration.ts';

const route = (name: string) => ({ name, match: { pathSpecifier: { $case: 'prefix', value: '/' } } }) as const;
const HOSTS: readonly VirtualHostFields[] = [
  virtualHost('a:80', ['a', 'a.default'], [route('default')]),
  virtualHost(
    'b:80',
    ['b'],
    Array.from({ length: 900 }, (_, at) => route(`route ${at}`)),
    { ripstop: { kind: 'Service', line: 4 } },
  ),
];

it.each([true, false])(
  'a table put together of its hosts is what encoding it as a whole gives (attempts counted: %s)',
  (countsAttempts) => {
    const settings = { headers: { countsAttempts } } as ProxySettings;
    // Twice: what is known of its hosts the second time must say the same.
    for (const hosts of [HOSTS, [...HOSTS].reverse(), HOSTS.slice(1), []]) {
      const table = packedTable('80', hosts, settings);
      const whole = packed({ typeUrl: ROUTE_TYPE_URL, name: '80', message: routeConfiguration('80', hosts, settings) });
      expect(Buffer.from(table.wire).equals(whole.wire)).toBe(true);
      expect(table.version).toBe(whole.version);
      expect((table.message as RouteConfiguration).virtualHosts).toHaveLength(hosts.length);
    }
  },
);
