import { spawn } from 'node:child_process';

export interface ToolOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs: number;
}

/** Runs a tool of this machine; rejects with its last words when it fails, is not there or takes longer than it may. */
export function runTool(command: string, args: readonly string[], { env, cwd, timeoutMs }: ToolOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let said = '';
    let late = false;
    child.stdout.on('data', (text) => {
      output += text;
    });
    child.stderr.on('data', (text) => {
      said = (said + text).slice(-2000);
    });
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`${command} cannot be run: ${error.message}`));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      const words = said.trim().split('\n').slice(-5).join(' | ');
      if (code === 0) resolve(output);
      else
        reject(
          new Error(
            `${command} ${args.slice(0, 4).join(' ')}: ${late ? `more than ${timeoutMs / 1000} s` : `exit code ${code}`}: ${words}`,
          ),
        );
    });
  });
}
