import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { RawClient } from '../../../packages/server/src/testing/raw-client.ts';
import { type Attack, type AttackCounts, unrefused } from './attacks.ts';

/** What an attack did to everybody else. */
export interface FloodResult {
  readonly name: string;
  /** p99 of another client's requests without and under the attack, milliseconds. */
  readonly calmP99: number;
  readonly p99: number;
  readonly requests: number;
  readonly failed: number;
  /** Growth of the server's heap after the attack, and of its resident memory, MiB. */
  readonly heapMiB: number;
  readonly rssMiB: number;
  readonly attack: AttackCounts;
  /** Why the guard did not answer the attack as it should; '' = it did. */
  readonly unrefused: string;
}

const MIB = 2 ** 20;

/** The attacked server, in a process of its own. */
export class FloodServer implements AsyncDisposable {
  readonly port: number;
  readonly grpcPort: number;
  private readonly child: ChildProcess;

  static async start(): Promise<FloodServer> {
    const child = fork(join(import.meta.dirname, 'server.ts'), { execArgv: ['--conditions=development', '--expose-gc'], stdio: 'inherit' });
    const [ports] = (await once(child, 'message')) as [{ port: number; grpcPort: number }];
    return new FloodServer(child, ports);
  }

  private constructor(child: ChildProcess, { port, grpcPort }: { readonly port: number; readonly grpcPort: number }) {
    this.child = child;
    this.port = port;
    this.grpcPort = grpcPort;
  }

  /** Milliseconds of each of many requests of a well-behaved client, while an attack runs. */
  async under(attack: Attack, forMs: number): Promise<FloodResult> {
    const before = await this.memory();
    const calm = await this.requests(forMs);
    const attacker = fork(
      join(import.meta.dirname, 'attacker.ts'),
      [attack.name, String(attack.on === 'grpc' ? this.grpcPort : this.port)],
      {
        execArgv: ['--conditions=development'],
        stdio: 'inherit',
      },
    );
    // Until it is under way.
    await new Promise((resolve) => setTimeout(resolve, 700));
    const hit = await this.requests(forMs);
    attacker.send({});
    const [did] = (await once(attacker, 'message')) as [AttackCounts];
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = await this.memory();
    return {
      name: attack.name,
      calmP99: percentile(calm.times, 0.99),
      p99: percentile(hit.times, 0.99),
      requests: hit.times.length,
      failed: hit.failed + calm.failed,
      heapMiB: (after.heapUsed - before.heapUsed) / MIB,
      rssMiB: (after.rss - before.rss) / MIB,
      attack: did,
      unrefused: unrefused(attack, did) ?? '',
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }

  private async memory(): Promise<{ heapUsed: number; rss: number }> {
    this.child.send({});
    const [memory] = (await once(this.child, 'message')) as [{ heapUsed: number; rss: number }];
    return memory;
  }

  private async requests(forMs: number): Promise<{ times: number[]; failed: number }> {
    const client = await RawClient.open(this.port);
    const times: number[] = [];
    let failed = 0;
    const end = performance.now() + forMs;
    while (performance.now() < end) {
      const started = performance.now();
      const { status } = await client.get('/');
      times.push(performance.now() - started);
      if (status !== 200) failed++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    client.close();
    return { times, failed };
  }
}

function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
