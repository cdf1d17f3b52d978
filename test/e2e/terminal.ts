import { type ChildProcess, spawn } from 'node:child_process';

/** A command line as a user types it, in a process group of its own. */
export class Terminal {
  readonly command: string;
  readonly ended: Promise<number>;
  private readonly child: ChildProcess;
  private readonly lookers = new Set<() => void>();
  private text = '';
  private code: number | undefined;

  constructor(command: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    this.command = command;
    // `exec`: a signal is for the command, not for the shell around it.
    this.child = spawn('sh', ['-c', command.includes('&&') ? command : `exec ${command}`], {
      ...options,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const heard = (chunk: Buffer): void => {
      this.text += chunk;
      this.look();
    };
    this.child.stdout?.on('data', heard);
    this.child.stderr?.on('data', heard);
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => {
        this.code = code ?? -1;
        this.look();
        resolve(this.code);
      });
    });
  }

  /** Everything printed so far. */
  get output(): string {
    return this.text;
  }

  get running(): boolean {
    return this.code === undefined;
  }

  /** Resolves once what is printed from `from` on matches; rejects with the output when the command ends before, or after `withinMs`. */
  said(
    pattern: RegExp,
    { from = 0, withinMs = 30_000 }: { readonly from?: number; readonly withinMs?: number } = {},
  ): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.lookers.delete(look);
      };
      const fail = (why: string): void => {
        done();
        reject(new Error(`${this.command}: ${why} ${pattern}; it printed:\n${this.text.slice(from)}`));
      };
      const look = (): void => {
        const match = pattern.exec(this.text.slice(from));
        if (match !== null) {
          done();
          resolve(match);
        } else if (!this.running) fail(`ended with exit code ${this.code} without`);
      };
      const timer = setTimeout(() => fail(`within ${withinMs} ms no`), withinMs);
      this.lookers.add(look);
      look();
    });
  }

  /** SIGINT; when it does not end within `graceMs`, SIGKILL for its whole group. Answers the exit code, -1 when it was killed. */
  async stop(graceMs = 8000): Promise<number> {
    this.signal('SIGINT', (pid) => pid);
    const timer = setTimeout(() => this.signal('SIGKILL', (pid) => -pid), graceMs);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }

  private signal(name: NodeJS.Signals, target: (pid: number) => number): void {
    if (!this.running || this.child.pid === undefined) return;
    try {
      process.kill(target(this.child.pid), name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // Ended in this moment: what was wanted.
    }
  }

  private look(): void {
    for (const look of [...this.lookers]) look();
  }
}
