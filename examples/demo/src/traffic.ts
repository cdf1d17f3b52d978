/** The part of a response that the tour counts. */
export interface Answer {
  /** 0 = the call threw. */
  readonly status: number;
  readonly servedBy: string;
  readonly body: string;
  readonly headers: Headers;
  readonly ms: number;
  readonly error: string;
}

export type Call = () => Promise<Response>;

/** Makes one call and reads it to the end. */
export async function once(call: Call): Promise<Answer> {
  const started = performance.now();
  try {
    const response = await call();
    const body = await response.text();
    return {
      status: response.status,
      servedBy: response.headers.get('x-served-by') ?? '',
      body,
      headers: response.headers,
      ms: performance.now() - started,
      error: '',
    };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    return { status: 0, servedBy: '', body: '', headers: new Headers(), ms: performance.now() - started, error: `${error}${cause}` };
  }
}

/** Makes `count` calls, `concurrency` at a time. */
export async function many(count: number, concurrency: number, call: Call): Promise<Answer[]> {
  const answers: Answer[] = [];
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < count) {
      started++;
      answers.push(await once(call));
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  return answers;
}

/** Load that runs beside a step until it is stopped. */
export class Background {
  readonly answers: Answer[] = [];
  private running = true;
  private readonly done: Promise<void>;

  /** `perSecond` is the pace of the whole load, spread over `concurrency` callers. */
  constructor(call: Call, perSecond: number, concurrency = 4) {
    const pauseMs = (1000 * concurrency) / perSecond;
    const worker = async (index: number): Promise<void> => {
      await sleep((pauseMs / concurrency) * index);
      while (this.running) {
        const started = performance.now();
        this.answers.push(await once(call));
        await sleep(Math.max(0, pauseMs - (performance.now() - started)));
      }
    };
    this.done = Promise.all(Array.from({ length: concurrency }, (_unused, index) => worker(index))).then(() => {});
  }

  async stop(): Promise<readonly Answer[]> {
    this.running = false;
    await this.done;
    return this.answers;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `check` holds, asking every 25 ms; answers the milliseconds it took, or undefined when time ran out. */
export async function until(check: () => boolean | Promise<boolean>, timeoutMs: number): Promise<number | undefined> {
  const started = performance.now();
  for (;;) {
    if (await check()) return performance.now() - started;
    if (performance.now() - started > timeoutMs) return undefined;
    await sleep(25);
  }
}

export function countBy<T>(items: readonly T[], key: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
}

/** `{ "200": 41, "503": 2 }` as `200×41 503×2`. */
export function formatCounts(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  return parts.length === 0 ? 'none' : parts.map(([key, count]) => `${key}×${count}`).join(' ');
}

export const failed = (answers: readonly Answer[]): readonly Answer[] => answers.filter((answer) => answer.status !== 200);
