import { get } from 'node:http';
import type { ServiceGraphStore } from './service-graph.ts';

/** Something to scrape: an instance's name and its `host:port`. */
export interface ScrapeTarget {
  readonly key: string;
  readonly adminAddress: string;
}

export interface ScraperOptions {
  readonly targets: () => readonly ScrapeTarget[];
  readonly store: ServiceGraphStore;
  readonly intervalMs?: number;
  readonly now: () => number;
}

/** Scrapes every registered instance once a second, each at most once at a time. An instance that does not answer is asked again. */
export class Scraper {
  private readonly options: ScraperOptions;
  private readonly busy = new Set<string>();
  private readonly timer: NodeJS.Timeout;

  constructor(options: ScraperOptions) {
    this.options = options;
    this.timer = setInterval(() => this.round(), options.intervalMs ?? 1000);
    this.timer.unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private round(): void {
    const targets = this.options.targets().filter((target) => target.adminAddress !== '');
    this.options.store.forgetOld(this.options.now());
    for (const target of targets) {
      if (this.busy.has(target.key)) continue;
      this.busy.add(target.key);
      scrape(target.adminAddress).then(
        (text) => {
          this.busy.delete(target.key);
          this.options.store.add(target.key, text, this.options.now());
        },
        () => this.busy.delete(target.key), // Gone or restarting: its registration says so elsewhere; the next round asks again.
      );
    }
  }
}

/** A workload says itself where it is scraped: it must not fill this process. */
const MAX_LENGTH = 32 * 1024 * 1024;

function scrape(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(`http://${address}/stats/prometheus`, { timeout: 2000, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_LENGTH) request.destroy(new Error(`more than ${MAX_LENGTH} characters`));
      });
      response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(`status ${response.statusCode}`))));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 2 s')));
    request.on('error', reject);
  });
}
