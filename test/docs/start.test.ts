import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from './sources.ts';

const dir = mkdtempSync(join(tmpdir(), 'ripstop-start-'));
const strict = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: default }
spec: { mtls: { mode: STRICT } }
`;

/** The page's files, with `port` for the address of the one instance. */
function writeFiles(port: number): void {
  const page = readFileSync(join(root, 'docs/start.md'), 'utf8');
  for (const [, name, text] of page.matchAll(/<!-- file: (\S+) -->\n```\w+\n([\s\S]*?)```/g)) {
    mkdirSync(dirname(join(dir, name!)), { recursive: true });
    writeFileSync(join(dir, name!), text!.replace('address: 127.0.0.1,', `address: 127.0.0.1, ports: { http: ${port} },`));
  }
}

describe('two services without a control plane (docs/start.md)', () => {
  let ratings: Mesh;
  let client: Mesh;

  beforeAll(async () => {
    writeFiles(9080);
    const config = `file:${join(dir, 'mesh')}`;
    ratings = createMesh({ service: 'ratings', config, admin: 'off' });
    // Port 9080 may be taken on this machine; the instance says where it really is.
    const { port } = await ratings.listen((_request, response) => response.end('five stars'), 9080, { bindPort: 0 });
    writeFiles(port);
    client = createMesh({ service: 'client', config, admin: 'off' });
    await client.ready();
  });

  afterAll(async () => {
    await Promise.all([client, ratings].map((mesh) => mesh?.close({ drainMs: 0 })));
    rmSync(dir, { recursive: true });
  });

  it('meet by the name of the Service', async () => {
    const answer = await client.fetch('http://ratings:9080/');
    expect([answer.status, await answer.text()]).toEqual([200, 'five stars']);
  });

  it('refuse every connection under STRICT, for there is no certificate', async () => {
    writeFileSync(join(dir, 'mesh/strict.yaml'), strict);
    await expect.poll(async () => (await client.fetch('http://ratings:9080/')).status, { timeout: 5_000 }).toBe(503);
  });
});
