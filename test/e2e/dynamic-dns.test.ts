import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { formatResponseFlags } from '@ripstop/core';
import { appFilter } from '@ripstop/node';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { FolderMeshes } from './folder-meshes.ts';

/* Status, body, flags and details are those of an Envoy 1.40 with the same cluster and filter. */

const CLUSTER = 'AllowAnyDynamicDNSCluster';
const WEB = `---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 8080 }] }
`;

describe('a mesh of ALLOW_ANY_DYNAMIC_DNS', () => {
  const scene = new FolderMeshes();

  const answer: RequestListener = (request, response) => response.end(`hello ${request.headers.host}`);

  /** Calls a URL: what came, by which cluster, and how Envoy's access log would say it. */
  async function caller(policy: object = {}): Promise<(url: string, host?: string) => Promise<string[]>> {
    const dir = scene.folder(WEB);
    const mesh = { outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS', ...policy } };
    writeFileSync(join(dir, 'mesh.yaml'), JSON.stringify(mesh));
    let told: string[] = [];
    const note = appFilter({
      name: 'note',
      directions: ['outbound'],
      onEnd: ({ cluster, flags, details }) => {
        told = [cluster?.name ?? '', formatResponseFlags(flags), details];
      },
    });
    const made = scene.member(dir, { service: 'caller', filters: [note] });
    await made.ready();
    return async (url, host) => {
      // fetch() lets nobody name a Host.
      const { statusCode, body } = await request(url, { dispatcher: made.dispatcher, headers: host === undefined ? {} : { host } });
      return [`${statusCode} ${await body.text()}`, ...told];
    };
  }

  it('looks up the host of each request, whatever address the URL has', async () => {
    const port = await scene.outside(createServer(answer));
    const call = await caller();
    const reached = [`200 hello localhost:${port}`, CLUSTER, '-', ''];
    expect(await call(`http://localhost:${port}/`)).toEqual(reached);
    expect(await call('http://127.0.0.1:9999/', `localhost:${port}`)).toEqual(reached);
    expect(await call('http://127.0.0.1:8080/', `localhost:${port}`)).toEqual(reached);
  });

  it.each([8080, 9999])('answers 503 for a host that does not resolve, on port %d', async (port) => {
    const [reply, cluster, flags, details] = await (await caller())(`http://no-such.invalid:${port}/`);
    expect([reply, cluster, flags]).toEqual(['503 DNS resolution failure', CLUSTER, 'DF']);
    // What follows is the resolver's: a machine without one says EAI_AGAIN.
    expect(details).toMatch(/^dns_resolution_failure\{(?:cares_norecords:Domain_name_not_found|getaddrinfo:EAI_AGAIN)\}$/);
  });

  it('encrypts http: requests as tls says, and believes the host that they name', async () => {
    const dir = scene.folder(WEB);
    const validity = { notBeforeMs: Date.now() - 86_400_000, notAfterMs: Date.now() + 86_400_000 };
    const root = createSelfSignedRoot({ organization: 'test', ...validity });
    writeFileSync(join(dir, 'ca.pem'), root.certificatePem);
    const keys = createKeyPair();
    const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
    const cert = issueCertificate(issuer, { publicKey: keys.publicKey, names: { dns: ['localhost'] }, ...validity });
    const port = await scene.outside(createTlsServer({ cert, key: privateKeyPem(keys.privateKey) }, answer));
    const call = await caller({ tls: { mode: 'SIMPLE', caCertificates: join(dir, 'ca.pem') } });
    expect(await call(`http://localhost:${port}/`)).toEqual([`200 hello localhost:${port}`, CLUSTER, '-', '']);
    const [reply, , flags] = await call(`http://127.0.0.1:${port}/`);
    expect([reply?.slice(0, 3), flags]).toEqual(['503', 'UF']);
  });
});
