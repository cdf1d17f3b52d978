import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, type ControlPlaneEvent, type ControlPlaneOptions, createControlPlane } from '@ripstop/control-plane';
import { until } from '../until.ts';

export type MeshOptions = Pick<ControlPlaneOptions, 'resourceTtlMs'>;

/** A control plane over a folder of YAML of its own, on free ports, in this process. */
export class TestMesh implements AsyncDisposable {
  readonly controlPlane: ControlPlane;
  /** For sockets and the like; removed at the end. */
  readonly folder: string;
  private readonly source: string;
  private readonly events: ControlPlaneEvent[] = [];
  private clients = 0;

  /** `findings`: codes of the errors that the control plane is to find in the YAML. */
  static async start(yaml: string, findings: readonly string[] = [], options: MeshOptions = {}): Promise<TestMesh> {
    const mesh = new TestMesh(yaml, options);
    await mesh.controlPlane.start();
    const unexpected = mesh.controlPlane.findings.filter(({ severity, code }) => severity === 'error' && !findings.includes(code));
    if (unexpected.length === 0) return mesh;
    await mesh[Symbol.asyncDispose]();
    throw new Error(`the YAML of the test is not valid: ${JSON.stringify(unexpected)}`);
  }

  private constructor(yaml: string, options: MeshOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'ripstop-interop-'));
    this.source = join(this.folder, 'mesh');
    mkdirSync(this.source);
    this.write(yaml);
    this.controlPlane = createControlPlane({
      source: this.source,
      stateDir: join(this.folder, 'state'),
      xds: '127.0.0.1:0',
      xdsTls: '127.0.0.1:0',
      http: '',
      ...options,
      onEvent: (event) => this.events.push(event),
    });
  }

  /** A folder for the files of one client. */
  clientFolder(name: string): string {
    const folder = join(this.folder, `${++this.clients}-${name}`.slice(0, 40));
    mkdirSync(folder);
    return folder;
  }

  /** Replaces the YAML, and waits until every connected client has taken what it means for it. */
  async apply(yaml: string): Promise<void> {
    const before = this.count('configuration');
    this.write(yaml);
    await until('the control plane reads the YAML', () => this.count('configuration') > before);
    await this.synced();
  }

  /** Every client has acknowledged the configuration in force. Rejects when one refuses it. */
  async synced(): Promise<void> {
    await until('every client has taken the configuration', () =>
      this.controlPlane.syncState().every(({ synced, nack }) => synced || nack !== ''),
    );
    const problems = this.events.filter((event) => event.type === 'problem');
    if (problems.length > 0) throw new Error(`the control plane has problems: ${JSON.stringify(problems)}`);
    const refused = this.controlPlane.syncState().filter(({ nack }) => nack !== '');
    if (refused.length > 0) throw new Error(refused.map(({ name, nack }) => `${name} refuses the configuration: ${nack}`).join('\n'));
  }

  /** What clients have refused so far, those that are gone included. */
  refusals(): string[] {
    return this.events.flatMap((event) => (event.type === 'refused' ? [`${event.node}: ${event.typeUrl}: ${event.reason}`] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.controlPlane.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private write(yaml: string): void {
    writeFileSync(join(this.source, 'mesh.yaml'), yaml);
  }

  private count(type: ControlPlaneEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }
}
