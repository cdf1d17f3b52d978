// Child processes of the bench: forked, pinned where taskset exists, spoken to by messages, always gone at the end.
import { fork, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const running = new Set();

export class BenchProcess {
  constructor(file, { args = [], env = {}, core, idle = false } = {}) {
    this.child = fork(new URL(file, import.meta.url), args, {
      env: { ...process.env, ...env },
      execArgv: ['--max-semi-space-size=16'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.output = '';
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.on('data', (text) => (this.output = (this.output + text).slice(-4_000)));
    running.add(this.child);
    this.child.once('exit', () => running.delete(this.child));
    if (core !== undefined && availableParallelism() > 1)
      spawnSync('taskset', ['-a', '-cp', String(core), String(this.child.pid)], { stdio: 'ignore' });
    // SCHED_IDLE, which threads that the child starts later inherit: it runs when nobody else would.
    this.isIdle =
      idle && spawnSync('chrt', ['--all-tasks', '--idle', '--pid', '0', String(this.child.pid)], { stdio: 'ignore' }).status === 0;
  }

  /** Sends a command and waits for its answer. */
  ask(command, details = {}) {
    const { child } = this;
    return new Promise((resolve, reject) => {
      const done = (act) => (value) => {
        child.off('message', onMessage);
        child.off('exit', onExit);
        act(value);
      };
      const onMessage = done((answer) => (answer.error === undefined ? resolve(answer) : reject(new Error(answer.error))));
      const onExit = done((code) => reject(new Error(`a bench process ended with ${code}:\n${this.output}`)));
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send({ command, ...details });
    });
  }

  stop() {
    this.child.kill('SIGKILL');
  }
}

export function stopAll() {
  for (const child of running) child.kill('SIGKILL');
}

/** In a child: answers commands one at a time; `memory` is everybody's. */
export function serveCommands(commands) {
  const all = { memory, ...commands };
  process.on('message', async ({ command, ...details }) => {
    try {
      process.send((await all[command](details)) ?? {});
    } catch (error) {
      process.send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.once('disconnect', () => process.exit());
}

/** Bytes that are held after full collections, in turns with the event loop, which lets go of what has ended. */
async function memory() {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  for (let round = 0; round < 4; round++) {
    collect();
    await sleep(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { held: heapUsed + external, rss };
}
