import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { WorkloadAccount } from '@ripstop/control-plane';

/** What a control plane leaves in its state directory for those who join it. No secrets. */
export interface ControlPlaneNotes {
  /** `host:port` of xDS over TLS and of the CA. */
  readonly xdsTls: string;
  readonly trustDomain: string;
  /** `host:port` of the page and the debug endpoints; '' = none. */
  readonly http: string;
}

const NOTES_FILE = 'control-plane.json';
const DEFAULTS: ControlPlaneNotes = { xdsTls: '127.0.0.1:15012', trustDomain: 'cluster.local', http: '127.0.0.1:15014' };

/** Makes the directory of keys for its owner only, and keeps it out of git. Answers what is wrong with one that exists; '' when fine. */
export function prepareStateDir(stateDir: string): string {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new Error(`the state directory ${stateDir} cannot be made: name another with --state-dir`, { cause });
  }
  const ignore = join(stateDir, '.gitignore');
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n');
  const mode = statSync(stateDir).mode & 0o777;
  if (process.platform === 'win32' || (mode & 0o077) === 0) return '';
  return `${stateDir} holds keys and others may look into it (mode ${mode.toString(8)}): chmod 700 ${stateDir}`;
}

/** Notes where a running control plane is reached, for `ripstop run`, `gateway` and `token`. */
export function writeNotes(stateDir: string, notes: ControlPlaneNotes): void {
  const file = join(stateDir, NOTES_FILE);
  writeFileSync(`${file}.tmp`, `${JSON.stringify(notes)}\n`);
  renameSync(`${file}.tmp`, file);
}

/** The control plane of a state directory. Throws with the fix when none has run there. */
export function readStateDir(stateDir: string): ControlPlaneNotes & { readonly rootCertificateFile: string } {
  const dir = resolve(stateDir);
  const root = join(dir, 'root-cert.pem');
  if (!existsSync(root)) {
    throw new Error(
      `no control plane has run in ${dir} (root-cert.pem is missing): start \`ripstop dev <folder>\` in this directory, or name its --state-dir`,
    );
  }
  return { ...notesIn(join(dir, NOTES_FILE)), rootCertificateFile: root };
}

/** A join token for a workload. Secret: only its workload may see it. Throws when no control plane has run in the directory. */
export async function issueToken(stateDir: string, account: WorkloadAccount, ttlSeconds: number, singleUse = false): Promise<string> {
  readStateDir(stateDir); // Else a new key would be made, in the wrong place.
  const { createTokenIssuer } = await import('@ripstop/control-plane');
  return createTokenIssuer({ stateDir: resolve(stateDir) }).issue({ ...account, ttlSeconds, singleUse });
}

function notesIn(file: string): ControlPlaneNotes {
  if (!existsSync(file)) return DEFAULTS;
  try {
    return { ...DEFAULTS, ...(JSON.parse(readFileSync(file, 'utf8')) as Partial<ControlPlaneNotes>) };
  } catch (cause) {
    throw new Error(`${file} is not readable: start the control plane again, it writes it anew`, { cause });
  }
}
