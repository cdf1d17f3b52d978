import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createControlPlane, createTokenIssuer } from '@ripstop/control-plane';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environmentOf, type JoinOptions } from './commands/run.ts';
import { issueToken, prepareStateDir, readStateDir, writeNotes } from './state-dir.ts';

let folder: string;
let stateDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ripstop-cli-'));
  stateDir = join(folder, 'state');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a control plane leaves behind, without starting one. */
function controlPlaneState(): void {
  prepareStateDir(stateDir);
  createControlPlane({ source: folder, stateDir });
}

const reviews: JoinOptions = {
  service: 'reviews',
  namespace: 'shop',
  label: ['tier=back'],
  stateDir: '',
  ports: 'auto',
  admin: '127.0.0.1:0',
};

describe('the state directory', () => {
  it.skipIf(process.platform === 'win32')('is made for its owner only and kept out of git', () => {
    expect(prepareStateDir(stateDir)).toBe('');
    expect(statSync(stateDir).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(stateDir, '.gitignore'), 'utf8')).toBe('*\n');
  });

  it.skipIf(process.platform === 'win32')('is complained about when others may look into it', () => {
    mkdirSync(stateDir);
    chmodSync(stateDir, 0o755);
    expect(prepareStateDir(stateDir)).toBe(`${stateDir} holds keys and others may look into it (mode 755): chmod 700 ${stateDir}`);
  });

  it('says what to start when no control plane has run in it, and makes no key there', async () => {
    const fix = /no control plane has run in .*start `ripstop dev <folder>`/;
    expect(() => readStateDir(stateDir)).toThrow(fix);
    await expect(issueToken(stateDir, { namespace: 'default', serviceAccount: 'a' }, 60)).rejects.toThrow(fix);
    expect(existsSync(stateDir)).toBe(false);
  });

  it('says what to do about notes that are not readable', () => {
    controlPlaneState();
    writeFileSync(join(stateDir, 'control-plane.json'), '{');
    expect(() => readStateDir(stateDir)).toThrow(/control-plane\.json is not readable: start the control plane again/);
  });

  it('gives tokens that the control plane of the directory takes', async () => {
    controlPlaneState();
    const token = await issueToken(stateDir, { namespace: 'shop', serviceAccount: 'reviews' }, 60);
    expect(createTokenIssuer({ stateDir }).verify(token)).toEqual({ namespace: 'shop', serviceAccount: 'reviews' });
    const late = createTokenIssuer({ stateDir, now: () => Date.now() + 61_000 });
    expect(() => late.verify(token)).toThrow(/expired/);
  });
});

describe('the environment of ripstop run', () => {
  it('joins the control plane that has noted where it is', async () => {
    controlPlaneState();
    writeNotes(stateDir, { xdsTls: '127.0.0.1:4712', trustDomain: 'shop.example', http: '' });
    const { RIPSTOP_TOKEN, RIPSTOP_LOG: _log, ...rest } = await environmentOf({ ...reviews, version: 'v1', stateDir });
    expect(rest).toEqual({
      RIPSTOP_SERVICE: 'reviews',
      RIPSTOP_VERSION: 'v1',
      RIPSTOP_NAMESPACE: 'shop',
      RIPSTOP_SERVICE_ACCOUNT: 'reviews',
      RIPSTOP_TRUST_DOMAIN: 'shop.example',
      RIPSTOP_LABELS: 'tier=back',
      RIPSTOP_XDS: 'grpcs://127.0.0.1:4712',
      RIPSTOP_ROOT_CERT: join(stateDir, 'root-cert.pem'),
      RIPSTOP_PORTS: 'auto',
      RIPSTOP_ADMIN: '127.0.0.1:0',
    });
    expect(createTokenIssuer({ stateDir }).verify(RIPSTOP_TOKEN!)).toEqual({ namespace: 'shop', serviceAccount: 'reviews' });
  });

  it('prefers the address of --xds and the service account of --service-account', async () => {
    controlPlaneState();
    const environment = await environmentOf({ ...reviews, stateDir, xds: '127.0.0.1:9', serviceAccount: 'reader' });
    expect(environment.RIPSTOP_XDS).toBe('grpcs://127.0.0.1:9');
    expect(createTokenIssuer({ stateDir }).verify(environment.RIPSTOP_TOKEN!).serviceAccount).toBe('reader');
  });
});
