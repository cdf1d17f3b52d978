import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { ServiceGraph } from '@ripstop/control-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CodeBlock, codeBlocks } from './code-blocks.ts';
import { Terminal } from './terminal.ts';

const root = join(import.meta.dirname, '../..');
const cli = join(root, 'packages/cli/dist/main.mjs');
const blocks = codeBlocks(readFileSync(join(root, 'README.md'), 'utf8'));

/** The one thing that is not as written: free ports, so that a mesh that already runs on this machine is left alone. */
const FREE_PORTS = '--xds 127.0.0.1:0 --xds-tls 127.0.0.1:0 --http 127.0.0.1:0';
const SERVICE_200 = { text: 'Absolutely fun.', stars: 5, caller: 'spiffe://cluster.local/ns/default/sa/client' };

/** A reader of the README: a folder, and a terminal for each command that runs on. */
class Reader {
  readonly checkout: string = mkdtempSync(join(tmpdir(), 'ripstop-readme-'));
  folder: string = this.checkout;
  readonly terminals: Terminal[] = [];
  readonly written: string[] = [];
  dev: Terminal | undefined;
  client: Terminal | undefined;
  page = '';

  constructor() {
    // As in the checkout: Node finds the workspace's packages from a folder inside it; `ripstop` is the package's bin.
    symlinkSync(join(root, 'node_modules'), join(this.checkout, 'node_modules'));
    mkdirSync(join(this.checkout, 'bin'));
    symlinkSync(cli, join(this.checkout, 'bin/ripstop'));
  }

  open(command: string): Terminal {
    const { NODE_OPTIONS: _options, NODE_ENV: _env, ...inherited } = process.env;
    const own = Object.fromEntries(Object.entries(inherited).filter(([name]) => !name.startsWith('RIPSTOP_')));
    const PATH = [join(this.checkout, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter);
    const terminal = new Terminal(command, { cwd: this.folder, env: { ...own, PATH } });
    this.terminals.push(terminal);
    return terminal;
  }

  async leave(): Promise<void> {
    await Promise.all([...this.terminals].reverse().map((terminal) => terminal.stop()));
    rmSync(this.checkout, { recursive: true, force: true });
  }
}

/** A way to execute a command line of an `sh` block. */
interface CommandRule {
  readonly pattern: RegExp;
  execute(reader: Reader, line: string, match: RegExpExecArray): Promise<void>;
}

const COMMANDS: readonly CommandRule[] = [
  {
    // Running these two is CI's: they would run this test again.
    pattern: /^npm (?:run (\S+)|(test))$/,
    async execute(_reader, _line, [, script, test]) {
      const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
      expect(scripts).toHaveProperty(script ?? test!, expect.stringContaining('scripts/run.mjs'));
    },
  },
  {
    pattern: /^mkdir -p (\S+) && cd (\S+)$/,
    async execute(reader, line, [, , folder]) {
      expect(await reader.open(line).ended).toBe(0);
      reader.folder = join(reader.folder, folder!);
    },
  },
  {
    pattern: /^ripstop dev \S+$/,
    async execute(reader, line) {
      reader.dev = reader.open(`${line} ${FREE_PORTS}`);
      const [, page] = await reader.dev.said(/live page +(http:\S+)/);
      reader.page = page!;
      await reader.dev.said(/configuration \d+ objects? in 1 file read, no findings/);
    },
  },
  {
    pattern: /^ripstop run --service client -- node (\S+)$/,
    async execute(reader, line, [, program]) {
      expect(reader.written).toContain(program);
      reader.client = reader.open(line);
      for (const way of ['fetch', 'undici']) {
        const [, body] = await reader.client.said(new RegExp(`^${way} 200 (.*)$`, 'm'));
        expect(JSON.parse(body!)).toEqual(SERVICE_200);
      }
      expect(reader.client.output).not.toMatch(/^(fetch|undici) [^2]/m);
    },
  },
  {
    pattern: /^ripstop run --service (\S+) (?:--version \S+ )?-- node (\S+)$/,
    async execute(reader, line, [, service, program]) {
      expect(reader.written).toContain(program);
      reader.open(line);
      await reader.dev!.said(new RegExp(`registered +${service}-\\S+ 9080→127\\.0\\.0\\.1:\\d+$`, 'm'));
    },
  },
];

/** A way to execute a whole block; answers false when it is not for this block. */
type BlockRule = (reader: Reader, block: CodeBlock) => Promise<boolean>;

const RULES: readonly BlockRule[] = [
  // A picture has nothing to execute; a command that hides in one has.
  async (_reader, { language, text }) => language === 'text' && text.includes('┌') && !/^(npm|npx|ripstop|node) /m.test(text),
  async (reader, block) => {
    if (block.file === undefined || !['yaml', 'js'].includes(block.language)) return false;
    const before = reader.client?.output.length ?? 0;
    writeFileSync(join(reader.folder, block.file), block.text);
    reader.written.push(block.file);
    if (reader.client !== undefined) await expectAborts(reader, before);
    return true;
  },
  async (reader, { language, text }) => {
    if (language !== 'sh') return false;
    for (const line of text.trim().split('\n')) {
      const rule = COMMANDS.find(({ pattern }) => pattern.test(line));
      if (rule === undefined) throw new Error(`no rule of this test executes the command: ${line}`);
      await rule.execute(reader, line, rule.pattern.exec(line)!);
    }
    return true;
  },
];

/** The VirtualService that the README saves while the client runs. */
async function expectAborts(reader: Reader, before: number): Promise<void> {
  const client = reader.client!;
  await client.said(/^fetch 503 fault filter abort\nundici 503 fault filter abort$/m, { from: before });
  expect(client.running).toBe(true);
}

/** The edges that the live page draws. */
async function edgesOf(page: string): Promise<string[]> {
  const { edges } = (await (await fetch(new URL('/api/graph', page))).json()) as ServiceGraph;
  return edges.map(({ source, target }) => `${source}→${target}`);
}

describe('README.md', () => {
  let reader: Reader;
  beforeAll(() => {
    // What the README names for a checkout; it also builds what is not built.
    execFileSync('npm', ['run', '--silent', '--prefix', root, 'ripstop', '--', 'version'], { stdio: ['ignore', 'pipe', 'pipe'] });
    reader = new Reader();
  }, 120_000);
  afterAll(() => reader.leave());

  for (const block of blocks) {
    it(`executes line ${block.line}: ${block.file ?? block.text.split('\n')[0]}`, { timeout: 60_000 }, async () => {
      for (const rule of RULES) if (await rule(reader, block)) return;
      throw new Error(`no rule of this test executes the ${block.language} block in line ${block.line} of README.md`);
    });
  }

  it('has started every program that it shows', () => {
    const commands = reader.terminals.map(({ command }) => command).join('\n');
    for (const program of reader.written.filter((file) => file.endsWith('.js'))) expect(commands).toContain(`node ${program}`);
  });

  it('has the 200s back when the file is removed', async () => {
    const from = reader.client!.output.length;
    rmSync(join(reader.folder, 'mesh/faults.yaml'));
    await reader.client!.said(/^fetch 200 .*\nundici 200 /m, { from });
    expect(reader.client!.running).toBe(true);
  });

  it('shows the traffic on its live page', async () => {
    expect((await fetch(reader.page)).headers.get('content-type')).toContain('text/html');
    await expect.poll(() => edgesOf(reader.page), { timeout: 10_000 }).toContain('reviews→ratings');
  });

  it('ends everything with Ctrl-C, the services after a drain', async () => {
    const services = reader.terminals.filter(({ command, running }) => running && !/client|dev/.test(command));
    expect(services).toHaveLength(2);
    for (const service of services) expect(await service.stop()).toBe(0);
    await reader.dev!.said(/withdrawn +ratings-\S+: draining/);
    expect(await reader.dev!.stop()).toBe(0);
  });
});
