import { type ChildProcess, fork } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a demo process tells its parent over IPC. */
export interface ReadyMessage {
  readonly ready: true;
  /** `host:port` of its socket. */
  readonly address: string;
  /** `host:port` of /stats/prometheus. */
  readonly admin: string;
  /** Where its configuration came from. */
  readonly origin: 'none' | 'cache' | 'live' | 'embedded';
}

/** The answer to an order. */
export interface OrderDone {
  readonly done: number;
  /** Requests that the handler has seen so far. */
  readonly requests: number;
}

export interface DemoProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ready: Promise<ReadyMessage>;
  /** Output so far, stdout and stderr together. */
  output(): string;
  exited(): boolean;
  /** SIGTERM and wait; SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
  kill(): Promise<void>;
  /** Orders something of the service's demo controls (fail, delay, count …); resolves when it is in force. Rejects when the process is gone. */
  order(order: object): Promise<OrderDone>;
}

/** Characters of output kept per process; the tour counts lines of it. */
const MAX_OUTPUT = 4_000_000;

const dieWithParent = fileURLToPath(new URL('./die-with-parent.mjs', import.meta.url));

/** Starts and ends the demo's processes; `stopAll` leaves nothing behind. */
export class Processes {
  private readonly all = new Set<DemoProcess>();
  private readonly logDir: string;
  /** Processes that ended although nobody asked them to. */
  readonly unexpectedExits: string[] = [];
  private stopping = false;
  private orders = 0;

  constructor(logDir: string) {
    this.logDir = logDir;
  }

  start(name: string, script: string, args: readonly string[], env: Readonly<Record<string, string>>): DemoProcess {
    const child = fork(script, args, {
      execArgv: ['--import', dieWithParent],
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const log = createWriteStream(join(this.logDir, `${name}.log`), { flags: 'a' });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT);
      log.write(chunk);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    let asked = false;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const ready = new Promise<ReadyMessage>((resolve, reject) => {
      child.on('message', (message: { ready?: boolean }) => {
        if (message.ready) resolve(message as ReadyMessage);
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        if (!asked && !this.stopping) this.unexpectedExits.push(`${name} (${signal ?? `exit code ${code}`})`);
        reject(new Error(`${name} ended before it was ready (${signal ?? `exit code ${code}`}):\n${output.slice(-2000)}`));
      });
    });
    ready.catch(() => {}); // The one who awaits it sees the error; a process that is stopped before it was ready has no other reader.
    const process_: DemoProcess = {
      name,
      child,
      ready,
      output: () => output,
      exited: () => child.exitCode !== null || child.signalCode !== null,
      order: (order) => this.order(name, child, order),
      stop: async (graceMs = 8000) => {
        asked = true;
        if (!process_.exited()) {
          child.kill('SIGTERM');
          const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
          await gone;
          clearTimeout(timer);
        }
        this.all.delete(process_);
        log.end();
      },
      kill: async () => {
        asked = true;
        if (!process_.exited()) {
          child.kill('SIGKILL');
          await gone;
        }
        this.all.delete(process_);
        log.end();
      },
    };
    this.all.add(process_);
    return process_;
  }

  private order(name: string, child: ChildProcess, order: object): Promise<OrderDone> {
    const number = ++this.orders;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        child.off('message', onMessage);
        child.off('exit', onExit);
      };
      const onMessage = (message: Partial<OrderDone>): void => {
        if (message.done !== number) return;
        settle();
        resolve(message as OrderDone);
      };
      const onExit = (): void => {
        settle();
        reject(new Error(`${name} is gone and takes no orders`));
      };
      child.on('message', onMessage);
      child.once('exit', onExit);
      child.send({ ...order, order: number }, (error) => {
        if (error !== null) onExit();
      });
    });
  }

  async stopAll(): Promise<void> {
    this.stopping = true;
    await Promise.all([...this.all].map((entry) => entry.stop(3000)));
  }

  /** For a crash: no waiting, no promises. */
  killAllNow(): void {
    this.stopping = true;
    for (const entry of this.all) entry.child.kill('SIGKILL');
  }
}
