/*
 * What every dependency must be like (docs/design/dependencies.md, Checked in CI). The table is our own: a registry may refuse an audit,
 * and an advisory may come after it.
 */

/** A version per supported line: what is on none of the lines must be newer than the last. */
export type Minimum = readonly string[];

/** The first version of each line without a known hole that a mesh would pass on, with what the hole was. */
export const MINIMUMS: Readonly<Record<string, { readonly versions: Minimum; readonly why: string }>> = {
  node: { versions: ['22.22.2', '24.14.1'], why: 'CVE-2026-21637 (SNICallback), -21710 (__proto__ header), CVE-2025-59465 (HEADERS)' },
  undici: { versions: ['6.28.0', '7.29.0', '8.9.0'], why: 'CVE-2026-1525, -1527 (smuggling, CRLF), -9697 (TLS bypass)' },
  '@grpc/grpc-js': { versions: ['1.14.4'], why: 'CVE-2026-48068, -48069 (malformed messages end a server)' },
  protobufjs: { versions: ['7.6.1', '8.4.1'], why: 'CVE-2026-41242 (code execution by descriptor), -44289, -48712' },
  'node-forge': { versions: ['1.4.0'], why: 'CVE-2026-33896, -33894, CVE-2025-12816 (verification, ASN.1)' },
  fastify: { versions: ['5.8.1'], why: 'CVE-2026-25223, -3419 (content types)' },
  jose: { versions: ['6.0.0'], why: 'CVE-2024-28176 (JWE bomb); older lines lack the algorithm list' },
  yaml: { versions: ['2.9.0'], why: 'alias bombs' },
  express: { versions: ['4.20.0', '5.0.0'], why: 'CVE-2024-45296, -52798 (path-to-regexp), CVE-2025-15284 (qs)' },
  'path-to-regexp': { versions: ['0.1.12', '8.0.0'], why: 'CVE-2024-45296, -52798' },
  qs: { versions: ['6.14.1'], why: 'CVE-2025-15284' },
};

/** May run something when they are installed, and why. pnpm runs only what pnpm-workspace.yaml allows. */
export const INSTALL_SCRIPTS: Readonly<Record<string, string>> = {
  node: 'fetches the Node of its platform',
  '@bufbuild/buf': 'denied in pnpm-workspace.yaml; the binary comes as a package',
  protobufjs: 'denied in pnpm-workspace.yaml; it only prints a version warning',
};

/** Licences that a product may ship with, or build by. */
export const LICENCES: readonly string[] = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
  'Unlicense',
];

/** Build tools under other licences; they are in nothing that is published. */
export const TOOL_LICENCES: Readonly<Record<string, string>> = { lightningcss: 'MPL-2.0', 'lightningcss-*': 'MPL-2.0' };

/** Packages from elsewhere that one of ours may bring along. grpc-js alone brings more than thirty. */
export const MAX_EXTERNAL = 15;
export const MAX_EXTERNAL_WITH_GRPC = 45;

export interface Installed {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly installScripts: readonly string[];
}

/** What is wrong with an installed package; empty when nothing is. */
export function findingsOf({ name, version, licence, installScripts }: Installed): readonly string[] {
  const findings: string[] = [];
  const minimum = MINIMUMS[name];
  if (minimum !== undefined && !reaches(version, minimum.versions))
    findings.push(`${name}@${version} is below ${minimum.versions.join(' / ')}: ${minimum.why}`);
  if (installScripts.length > 0 && INSTALL_SCRIPTS[name] === undefined)
    findings.push(`${name}@${version} runs ${installScripts.join(', ')} at install: read it, then name it in INSTALL_SCRIPTS`);
  if (!isAccepted(licence) && toolLicence(name) !== licence)
    findings.push(`${name}@${version} is under ${licence === '' ? 'no licence' : licence}, which is not on the list`);
  return findings;
}

/** At least the minimum of its own major line; on a line that is not named, newer than all. */
export function reaches(version: string, minimums: Minimum): boolean {
  const [major] = numbers(version);
  const own = minimums.find((minimum) => numbers(minimum)[0] === major) ?? minimums.at(-1)!;
  return compare(version, own) >= 0;
}

function compare(left: string, right: string): number {
  const [a, b] = [numbers(left), numbers(right)];
  for (let at = 0; at < 3; at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return 0;
}

/** A pre-release is older than its release. */
function numbers(version: string): readonly number[] {
  const [core = '', pre] = version.replace(/^v/, '').split('-', 2);
  const parts = core.split('.').map(Number);
  return pre === undefined ? parts : [parts[0]!, parts[1]!, parts[2]! - 0.5];
}

/** An SPDX expression: of an OR one side is enough, of an AND all are needed. */
function isAccepted(licence: string): boolean {
  const bare = licence.replace(/^\((.*)\)$/, '$1');
  if (bare.includes(' OR ')) return bare.split(' OR ').some(isAccepted);
  if (bare.includes(' AND ')) return bare.split(' AND ').every(isAccepted);
  return LICENCES.includes(bare);
}

function toolLicence(name: string): string | undefined {
  for (const [pattern, licence] of Object.entries(TOOL_LICENCES)) {
    if (pattern === name || (pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1)))) return licence;
  }
  return undefined;
}
