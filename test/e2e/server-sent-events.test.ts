import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FolderMeshes } from './folder-meshes.ts';

const meshYaml = (port: number): string => `apiVersion: v1
kind: Service
metadata: { name: news }
spec: { selector: { app: news }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: news-1 }
spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: news } }
`;

describe('server-sent events', () => {
  const scene = new FolderMeshes();

  /** What the app writes to, and what its caller reads, both in the mesh. */
  async function subscribed(): Promise<{ readonly app: ServerResponse; readonly response: Response; readonly stop: () => void }> {
    const dir = scene.folder(meshYaml(1));
    const news = scene.member(dir, { service: 'news' });
    let opened!: (app: ServerResponse) => void;
    const opening = new Promise<ServerResponse>((resolve) => {
      opened = resolve;
    });
    const { port } = await news.listen(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        response.flushHeaders();
        opened(response);
      },
      9080,
      { bindPort: 0 },
    );
    writeFileSync(join(dir, 'all.yaml'), meshYaml(port));
    const caller = scene.member(dir, { service: 'caller' });
    await caller.ready();
    const controller = new AbortController();
    const response = await caller.fetch('http://news:9080/', { signal: controller.signal });
    return { app: await opening, response, stop: () => controller.abort() };
  }

  it('come one by one, each before the next is written', async () => {
    const { app, response } = await subscribed();
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (const event of ['one', 'two', 'three']) {
      app.write(`data: ${event}\n\n`);
      expect(await reader.read()).toEqual({ done: false, value: `data: ${event}\n\n` });
    }
    app.end();
    expect((await reader.read()).done).toBe(true);
  });

  it('end for the app when the caller goes away', async () => {
    const { app, response, stop } = await subscribed();
    app.write('data: one\n\n');
    await response.body!.getReader().read();
    const closed = once(app, 'close');
    stop();
    await closed;
    expect(app.writableFinished).toBe(false);
  });
});
