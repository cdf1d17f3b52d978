import { type ChildProcess, spawn } from 'node:child_process';
import { until } from '../until.ts';

export interface PeerProcessOptions {
  /** For messages: `kube-apiserver`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Whether it serves by now. */
  readonly ready: () => Promise<boolean>;
  readonly timeoutMs: number;
}

/** A server of somebody else's, started for a test and ended with it. */
export class PeerProcess implements AsyncDisposable {
  private readonly child: ChildProcess;
  private said = '';
  private exit: string | undefined;

  /** Waits until it serves. Rejects with its last words when it ends or takes too long. */
  static async start({ name, command, args, env, cwd, ready, timeoutMs }: PeerProcessOptions): Promise<PeerProcess> {
    const started = new PeerProcess(spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }));
    try {
      await until(`${name} serves`, async () => started.exit !== undefined || (await ready()), timeoutMs);
      if (started.exit !== undefined) throw new Error(`${name} ended: ${started.exit}`);
      return started;
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw new Error(`${name} did not start: ${started.said.trim()}`, { cause: error });
    }
  }

  private constructor(child: ChildProcess) {
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        this.said = (this.said + text).slice(-6_000);
      });
    }
    child.on('error', (error) => {
      this.exit = error.message;
    });
    child.on('exit', (code, signal) => {
      this.exit = `${signal ?? `exit code ${code}`}`;
    });
    process.once('exit', this.kill);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.kill);
    if (this.exit !== undefined) return;
    const gone = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.kill();
    await gone;
  }

  private readonly kill = (): void => {
    this.child.kill('SIGKILL');
  };
}
