import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Scraper } from './scraper.ts';
import { ServiceGraphStore } from './service-graph.ts';

describe('scraping', () => {
  let server: Server | undefined;
  let scraper: Scraper | undefined;
  afterEach(() => {
    scraper?.close();
    server?.closeAllConnections();
    server?.close();
  });

  it('reads no further where a workload never ends, and asks it again', async () => {
    let ended = 0;
    server = createServer((_request, response) => {
      const line = `${'x'.repeat(1024 * 1024)}\n`;
      const more = (): void => {
        while (!response.destroyed && response.write(line));
      };
      response.on('drain', more).on('close', () => ended++);
      more();
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const adminAddress = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const targets = () => [{ key: 'endless', adminAddress }];
    scraper = new Scraper({ targets, store: new ServiceGraphStore(), intervalMs: 10, now: () => 0 });
    await vi.waitFor(() => expect(ended).toBeGreaterThan(1), { timeout: 15_000 });
  });
});
