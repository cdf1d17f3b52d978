import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import type { RootFiles } from '@ripstop/control-plane';
import { type Command, Option } from 'commander';
import { columns } from '../control-plane-http.ts';
import { readStateDir } from '../state-dir.ts';

interface CaOptions {
  readonly stateDir: string;
  readonly output: 'table' | 'json';
}

/** What to do next, by where the rotation stands. */
const NEXT = {
  settled: 'nothing is under way; `ripstop ca rotate begin` makes a new root',
  distributing:
    'both roots are trusted, the old one signs; when every client has them (a few seconds; see proxy-status): `ripstop ca rotate switch`',
  switched:
    'both roots are trusted, the new one signs; when every client has a new certificate (clients that are connected: within 10 s): `ripstop ca rotate finish`',
  foreign:
    'an intermediate signs, and its root is somebody else\'s: ask for new files when one runs out or the root is replaced, and put them into the state directory, a root first (docs/guides/identity.md, "A new root of your own CA")',
} as const;

/** `ripstop ca status` and `ripstop ca rotate begin|switch|finish`: the root of the mesh, without a refused call in between. */
export function addCaCommand(program: Command): void {
  const parent = program.command('ca').description("look at and rotate the root of a control plane's certificate authority");
  const withOptions = (command: Command): Command =>
    command
      .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
      .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'));
  withOptions(parent.command('status').description('list the trusted roots and say where a rotation stands')).action(
    async (options: CaOptions) => report(await filesOf(options.stateDir), options.output),
  );
  const rotate = parent.command('rotate').description('rotate the root in three steps; a running control plane takes each at once');
  const steps = {
    begin: 'make a new root and have everybody trust it beside the old one',
    switch: 'let the new root sign; the old key is destroyed',
    finish: 'take the old root out: whoever still shows a certificate of it is refused, on open connections too',
  } as const;
  for (const [step, description] of Object.entries(steps) as [keyof typeof steps, string][]) {
    withOptions(rotate.command(step).description(description)).action(async (options: CaOptions) => {
      const files = await filesOf(options.stateDir);
      files[step]();
      report(files, options.output);
    });
  }
}

async function filesOf(stateDir: string): Promise<RootFiles> {
  const { trustDomain } = readStateDir(stateDir); // Else a new root would be made, in the wrong place.
  const { RootFiles } = await import('@ripstop/control-plane');
  return new RootFiles({ stateDir: resolve(stateDir), trustDomain, now: Date.now });
}

function report(files: RootFiles, output: CaOptions['output']): void {
  const { issuer, trustBundlePem, notAfterMs } = files.load();
  const signer = new X509Certificate(issuer.certificatePem);
  const roots = certificatesIn(trustBundlePem);
  const signs = ({ fingerprint256 }: X509Certificate): boolean => fingerprint256 === signer.fingerprint256;
  const rows = [
    ...(roots.some(signs) ? [] : [{ kind: 'intermediate', certificate: signer }]),
    ...roots.map((certificate) => ({ kind: 'root', certificate })),
  ].map(({ kind, certificate }) => ({
    kind,
    fingerprint: certificate.fingerprint256,
    subject: (certificate.subject ?? '').replaceAll('\n', ', '),
    signs: signs(certificate),
    notAfter: certificate.validToDate.toISOString(),
  }));
  const step = files.step();
  const until = new Date(notAfterMs).toISOString();
  const text =
    output === 'json'
      ? JSON.stringify({ step, certificates: rows, signsUntil: until, next: NEXT[step] }, undefined, 2)
      : `${columns([['SHA-256', 'KIND', 'SUBJECT', 'SIGNS', 'VALID UNTIL'], ...rows.map((row) => [row.fingerprint, row.kind, row.subject, row.signs ? 'yes' : 'no', row.notAfter])])}\n${step}: ${NEXT[step]}`;
  process.stdout.write(`${text}\n`);
}

function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((one) => new X509Certificate(one));
}
