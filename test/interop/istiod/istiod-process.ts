import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** A client of the nodes file's form: `{"Name", "ID", "Metadata", "Locality"}`. */
export interface RecordedNode {
  readonly Name: string;
  readonly ID: string;
  readonly Metadata: Readonly<Record<string, unknown>>;
  readonly Locality: { readonly Region: string; readonly Zone: string; readonly SubZone: string };
}

export interface IstiodCase {
  /** One YAML (or JSON) document each. */
  readonly documents: readonly string[];
  /** A bare MeshConfig in YAML; '' is Istio's default. */
  readonly mesh: string;
  readonly nodes: readonly RecordedNode[];
}

/** The resources of a node in protobuf JSON with proto field names, by list: clusters, endpoints, listeners, routes. */
export type Dump = Readonly<Record<string, readonly Record<string, unknown>[]>>;

export interface IstiodAnswer {
  /** What istiod's validation says of the documents that it refuses, by their index. The others are in force. */
  readonly refused: Readonly<Record<string, string>>;
  readonly nodes: Readonly<Record<string, Dump>>;
}

/** One message of istioctl's analyzers. */
export interface AnalyzerMessage {
  readonly code: string;
  /** Kind, namespace and name of the object. */
  readonly origin: string;
  readonly text: string;
}

interface Line extends IstiodAnswer {
  readonly id: number;
  readonly messages?: readonly AnalyzerMessage[];
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (answer: Line) => void;
  readonly reject: (error: Error) => void;
}

/** istiod's process has ended, by a race of its own or by what it was asked: no verdict on anybody. */
export class IstiodEnded extends Error {
  override readonly name = 'IstiodEnded';
}

/** So much of what a process says is kept: a Go panic tells its cause in the first lines, and every other goroutine after them. */
const MAX_SAID = 4000;

/** istiod's generators in one long-living process that is asked case after case. */
export class IstiodProcess {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;
  private said = '';

  /** `binary`: what peers/istiod.ts built; the schemas lie beside it. */
  constructor(binary: string) {
    const child = spawn(binary, [join(dirname(binary), 'crds.yaml')], { stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
    this.child = child;
    child.stderr?.on('data', (text) => {
      this.said = (this.said + text).slice(0, MAX_SAID);
    });
    createInterface({ input: child.stdio[3] as Readable }).on('line', (text) => this.answered(JSON.parse(text) as Line));
    child.on('error', (error) => this.gone(`cannot be run: ${error.message}`));
    child.on('close', (code, signal) => this.gone(`ended (${signal ?? `exit code ${code}`}): ${this.said.trim()}`));
    // A write to a process that ended: its end is told by `close`.
    child.stdin?.on('error', () => {});
  }

  ask(question: IstiodCase): Promise<IstiodAnswer> {
    return this.send(question);
  }

  /** What istioctl's analyzers say of files, each with any number of documents. */
  async analyze(files: readonly { readonly name: string; readonly text: string }[]): Promise<readonly AnalyzerMessage[]> {
    return (await this.send({ files })).messages ?? [];
  }

  /** What istiod says of bare MeshConfigs in YAML that it refuses, by their index. */
  async judgeMeshes(meshes: readonly string[]): Promise<IstiodAnswer['refused']> {
    return (await this.send({ meshes })).refused;
  }

  private send(question: object): Promise<Line> {
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      if (this.child.exitCode !== null || this.child.signalCode !== null) this.gone('has ended before');
      else this.child.stdin?.write(`${JSON.stringify({ id, ...question })}\n`);
    });
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }

  private answered(line: Line): void {
    const { id, error } = line;
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) waiting?.resolve(line);
    else waiting?.reject(new Error(`istiod: ${error}`));
  }

  private gone(why: string): void {
    for (const { reject } of this.waiting.values()) reject(new IstiodEnded(`istiod's process ${why}`));
    this.waiting.clear();
  }
}
