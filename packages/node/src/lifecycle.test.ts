import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';

/** Runs a program that sends signals to itself; answers what it printed and how it ended. */
async function run(body: string): Promise<{ printed: string; code: number | null; signal: string | null }> {
  const source = `import { onTermination } from ${JSON.stringify(new URL('./lifecycle.ts', import.meta.url).href)};
    const hold = setInterval(() => {}, 1e6); // What a listening socket does.
    const gate = () => { let open; const closed = new Promise((resolve) => { open = resolve; }); return { open, closed }; };
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { printed, code, signal };
}

describe('a signal to end', () => {
  it('drains every mesh of the process, and ends it when the last is done', async () => {
    expect(
      await run(`
        const slow = gate();
        onTermination(async () => { console.log('one'); });
        onTermination(async () => { await slow.closed; console.log('two'); });
        process.kill(process.pid, 'SIGTERM');
        setTimeout(() => slow.open(), 50);
      `),
    ).toEqual({ printed: 'one\ntwo\n', code: 0, signal: null });
  });

  it('does not cut the draining short when it comes twice', async () => {
    expect(
      await run(`
        const slow = gate();
        const cancel = onTermination(async () => { cancel(); await slow.closed; console.log('drained'); });
        process.kill(process.pid, 'SIGINT');
        setTimeout(() => process.kill(process.pid, 'SIGINT'), 20);
        setTimeout(() => slow.open(), 80);
      `),
    ).toEqual({ printed: 'drained\n', code: 0, signal: null });
  });

  it('drains those meshes of many that are still there, and Node sees no leak in them', async () => {
    expect(
      await run(`
        process.on('warning', ({ message }) => console.log(message));
        const cancels = Array.from({ length: 12 }, (_, at) => onTermination(async () => { console.log(at); }));
        for (const cancel of cancels.slice(1, 11)) cancel();
        setTimeout(() => process.kill(process.pid, 'SIGTERM'), 20);
      `),
    ).toEqual({ printed: '0\n11\n', code: 0, signal: null });
  });

  it('drains a mesh that came when all before it had been closed', async () => {
    expect(
      await run(`
        onTermination(async () => { console.log('never'); })();
        onTermination(async () => { console.log('drained'); });
        process.kill(process.pid, 'SIGINT');
      `),
    ).toEqual({ printed: 'drained\n', code: 0, signal: null });
  });

  it('is left to an app that has a handler of its own', async () => {
    expect(
      await run(`
        onTermination(async () => { console.log('never'); });
        process.on('SIGTERM', () => { console.log('mine'); process.exit(3); });
        process.kill(process.pid, 'SIGTERM');
      `),
    ).toEqual({ printed: 'mine\n', code: 3, signal: null });
  });

  it('ends a process whose mesh was closed before as it would any other', async () => {
    expect(
      await run(`
        onTermination(async () => { console.log('never'); })();
        process.kill(process.pid, 'SIGTERM');
      `),
    ).toEqual({ printed: '', code: null, signal: 'SIGTERM' });
  });
});
