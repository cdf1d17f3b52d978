import { readStateDir } from './state-dir.ts';

/** How a command finds the HTTP port of a running control plane. */
export interface HttpOptions {
  readonly http?: string;
  readonly stateDir: string;
}

/** GET of a debug path. Throws with the fix when nobody answers, and with the server's own words when it refuses. */
export async function askControlPlane<T>({ http, stateDir }: HttpOptions, path: string): Promise<T> {
  const address = http ?? readStateDir(stateDir).http;
  if (address === '') throw new Error(`the control plane of ${stateDir} has no HTTP port; start it with --http host:port`);
  let response: Response;
  try {
    response = await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(10_000) });
  } catch (cause) {
    throw new Error(`no control plane answers at http://${address}: start \`ripstop dev <folder>\`, or name its --http host:port`, {
      cause,
    });
  }
  const text = await response.text();
  if (!response.ok) throw new Error(text.trim());
  return JSON.parse(text) as T;
}

/** Rows as columns, padded by the longest of each; the first row is the head. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_head, index) => Math.max(...rows.map((row) => (row[index] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index]!))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}
