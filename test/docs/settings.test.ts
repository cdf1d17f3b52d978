import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type MeshOptions, resolveSettings, type Settings } from '../../packages/node/src/settings.ts';
import { OTHER_OPTIONS, OTHER_VARIABLES, SETTINGS } from '../../scripts/docs/setting-rows.ts';
import { packageSources, root } from './sources.ts';

const read = (file: string): string => readFileSync(join(root, 'packages/node/src', file), 'utf8');

/** Names of the fields of an exported interface. */
function fieldsOf(source: string, name: string): string[] {
  const body = new RegExp(`export interface ${name} [^{]*\\{([\\s\\S]*?)\\n\\}`).exec(source)?.[1] ?? '';
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map((match) => match[1]!);
}

describe('the page of settings', () => {
  it('has every option of createMesh, listen and close, and no other', () => {
    const mesh = read('mesh.ts');
    expect(SETTINGS.flatMap(({ option }) => option ?? []).sort()).toEqual(fieldsOf(read('settings.ts'), 'MeshOptions').sort());
    for (const type of ['CreateMeshOptions', 'ListenOptions', 'CloseOptions'])
      expect(OTHER_OPTIONS.filter((row) => row.type === type).map(({ option }) => option)).toEqual(fieldsOf(mesh, type));
  });

  it('has every variable that the packages read, and no other', () => {
    const listed = [...SETTINGS.flatMap(({ variables }) => variables), ...OTHER_VARIABLES.map(({ variable }) => variable)];
    const sources = packageSources();
    const found = new Set([
      ...(read('settings.ts').match(/(?<=, 'RIPSTOP_|env\.RIPSTOP_)[A-Z_]+/g) ?? []),
      ...(sources.match(/(?<=process\.env\.RIPSTOP_)[A-Z_]+/g) ?? []),
    ]);
    expect(listed.sort()).toEqual([...found].map((name) => `RIPSTOP_${name}`).sort());
  });

  const file = join(root, 'package.json');
  const samples: readonly (readonly [variable: string, value: string, field: keyof Settings, expected: unknown])[] = [
    ['RIPSTOP_SERVICE', 'web', 'service', 'web'],
    ['RIPSTOP_VERSION', 'v2', 'version', 'v2'],
    ['RIPSTOP_NAMESPACE', 'shop', 'namespace', 'shop'],
    ['RIPSTOP_SERVICE_ACCOUNT', 'sa', 'serviceAccount', 'sa'],
    ['RIPSTOP_TRUST_DOMAIN', 'td', 'trustDomain', 'td'],
    ['RIPSTOP_XDS', 'grpc://a:15010', 'xds', { host: 'a', port: 15010, tls: false }],
    ['RIPSTOP_XDS', 'a:15010', 'xds', { host: 'a', port: 15010, tls: false }],
    ['RIPSTOP_XDS', 'a:15012', 'xds', { host: 'a', port: 15012, tls: true }],
    ['RIPSTOP_CA', 'a:15010', 'ca', { host: 'a', port: 15010, tls: true }],
    ['RIPSTOP_CONFIG', 'file:./mesh', 'configDir', './mesh'],
    ['RIPSTOP_BIND', '::1', 'bind', '::1'],
    ['RIPSTOP_PORTS', 'auto', 'ports', 'auto'],
    ['RIPSTOP_ADMIN', '0', 'admin', { host: '127.0.0.1', port: 0 }],
    ['RIPSTOP_ADMIN', 'off', 'admin', undefined],
    ['RIPSTOP_CACHE_DIR', '/c', 'cacheDir', '/c'],
    ['RIPSTOP_BOOT_TIMEOUT', '3', 'bootTimeoutMs', 3000],
    ['RIPSTOP_CERT_TTL', '60', 'certificateTtlSeconds', 60],
    ['RIPSTOP_ROOT_CERT', file, 'rootCertificatePem', readFileSync(file, 'utf8')],
  ];

  it.each(samples)('%s=%s does what it says', (variable, value, field, expected) => {
    const root = variable === 'RIPSTOP_XDS' || variable === 'RIPSTOP_CA' ? { rootCertificatePem: 'x' } : {};
    expect(resolveSettings({ service: undefined, ...root } as MeshOptions, { [variable]: value })[field]).toEqual(expected);
  });

  it('RIPSTOP_TOKEN_FILE beats RIPSTOP_TOKEN, and labels join', () => {
    const settings = resolveSettings(
      {},
      { RIPSTOP_TOKEN: 'a', RIPSTOP_TOKEN_FILE: file, RIPSTOP_LABELS: 'tier=x,app=y', RIPSTOP_SERVICE: 'web' },
    );
    expect(settings.token?.()).toBe(readFileSync(file, 'utf8').trim());
    expect(settings.labels).toEqual({ app: 'y', tier: 'x' });
  });

  it('names the defaults of the code', () => {
    const settings = resolveSettings({ service: 'web' }, {});
    const { namespace, serviceAccount, trustDomain, bind, ports, admin, bootTimeoutMs, role, xds, ca, token, cacheDir } = settings;
    expect({ namespace, serviceAccount, trustDomain, bind, ports, admin, bootTimeoutMs, role }).toEqual({
      namespace: 'default',
      serviceAccount: 'web',
      trustDomain: 'cluster.local',
      bind: '127.0.0.1',
      ports: 'fixed',
      admin: { host: '127.0.0.1', port: 15_020 },
      bootTimeoutMs: 10_000,
      role: 'sidecar',
    });
    expect([xds, ca, token, cacheDir, settings.configDir, settings.certificateTtlSeconds]).toEqual(Array(6).fill(undefined));
  });
});
