import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { RawClient } from '../../packages/server/src/testing/raw-client.ts';
import { chainsOf, type ManagerSettings, ServerDouble } from '../../packages/server/src/testing/server-double.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const file = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(root, '../shared/conformance'), 'envoy-vectors/paths.json');
const present = existsSync(file);
if (!present) console.warn(`skipped: what Envoy does with request targets is not at ${file}`);

interface Result {
  readonly status: number;
  readonly upstream_path?: string;
  readonly upstream_host?: string;
  readonly scheme?: string;
  readonly details?: string | null;
  readonly body?: string;
  readonly rbac_matched?: readonly string[];
}

type Mode = 'NONE' | 'BASE' | 'MERGE_SLASHES' | 'DECODE_AND_MERGE_SLASHES';

interface Row {
  readonly target: string;
  readonly method?: string;
  readonly modes: Readonly<Record<Mode, Result>>;
}

/** What istiod writes into a connection manager for each pathNormalization. */
const MODES: Readonly<Record<Mode, ManagerSettings>> = {
  NONE: { normalizePath: false },
  BASE: { normalizePath: true },
  MERGE_SLASHES: { normalizePath: true, mergeSlashes: true },
  DECODE_AND_MERGE_SLASHES: { normalizePath: true, mergeSlashes: true, escapedSlashes: 'UNESCAPE_AND_FORWARD' },
};

const table: { vectors: Row[]; percent_256: Row[]; methods: Row[] } = present
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { vectors: [], percent_256: [], methods: [] };

/** Where Ripstop is stricter on purpose (docs/reference/differences.md): `mode target`. */
const STRICTER: ReadonlyMap<string, number> = new Map([
  ['NONE /admin%00', 400], // S08
  ['NONE /%00', 400],
]);

interface Seen {
  readonly status: number;
  readonly path?: string | undefined;
  readonly host?: string | undefined;
  readonly scheme?: string | undefined;
  readonly matched: string | undefined;
  readonly details: string;
  readonly body: string;
}

describe.skipIf(!present).each(Object.keys(MODES) as Mode[])('request targets under pathNormalization %s', (mode) => {
  const app: { path?: string | undefined; host?: string | undefined } = {};
  const double = ServerDouble.start(
    (request, response) => {
      Object.assign(app, { path: request.url, host: request.headers.host });
      response.end();
    },
    { chains: chainsOf('DISABLE', { manager: MODES[mode] }) },
  );
  afterAll(async () => (await double)[Symbol.asyncDispose]());

  async function send(method: string, target: string): Promise<Seen> {
    const { port, finished } = await double;
    for (const key of Object.keys(app)) delete app[key as keyof typeof app];
    finished.splice(0);
    const client = await RawClient.open(port);
    client.write(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const { status, body } = await client.response(method);
    client.close();
    await expect.poll(() => finished.length + (status === 400 ? 1 : 0), { interval: 1 }).toBeGreaterThan(0);
    const x = finished[0]?.x;
    return { status, ...app, scheme: x?.request.scheme, matched: x?.matchPath, details: x?.details ?? '', body };
  }

  function compare(row: Row, seen: Seen): void {
    const envoy = row.modes[mode];
    const stricter = STRICTER.get(`${mode} ${row.target}`);
    const status = stricter ?? envoy.status;
    expect(seen.status).toBe(status);
    if (status !== 200) {
      expect(seen.path).toBeUndefined();
      if (stricter === undefined && envoy.body !== undefined && row.method !== 'HEAD') expect(seen.body).toBe(envoy.body);
      return;
    }
    if (envoy.upstream_path !== undefined) {
      expect(seen.path).toBe(envoy.upstream_path);
      // What is authorised is what the app sees.
      expect(seen.matched).toBe(envoy.upstream_path.split('?')[0]);
    }
    if (envoy.upstream_host !== undefined) expect(seen.host).toBe(envoy.upstream_host);
    if (envoy.scheme === 'https') expect(seen.scheme).toBe('https');
  }

  it.each(table.vectors.map((row) => ({ name: JSON.stringify(row.target), row })))('$name', async ({ row }) => {
    compare(row, await send('GET', row.target));
  });

  it('every %XX behind /admin', async () => {
    for (const row of table.percent_256) compare(row, await send('GET', row.target));
  });

  it.each(table.methods.map((row) => ({ name: `${row.method} ${row.target}`, row })))('$name', async ({ row }) => {
    compare(row, await send(row.method ?? 'GET', row.target));
  });
});
