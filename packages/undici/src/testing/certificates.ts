import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cancel, IdentitySource, Svid } from '@ripstop/core';

/** A CA of a test, whose leaves carry one SPIFFE id. */
export class TestAuthority {
  readonly #dir: string = mkdtempSync(join(tmpdir(), 'ripstop-ca-'));
  #issued = 0;
  readonly certificatePem: string;

  constructor() {
    this.#openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/O=test',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
    );
    this.certificatePem = this.#read('ca.pem');
  }

  issue(spiffeId: string): { certificatePem: string; keyPem: string } {
    const name = `leaf${++this.#issued}`;
    writeFileSync(join(this.#dir, `${name}.ext`), `subjectAltName=URI:${spiffeId}\n`);
    this.#openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    this.#openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '1',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
    return { certificatePem: this.#read(`${name}.pem`), keyPem: this.#read(`${name}.key`) };
  }

  dispose(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#dir, stdio: 'ignore' });
  }

  #read(name: string): string {
    return readFileSync(join(this.#dir, name), 'utf8');
  }
}

/** An identity that is rotated by hand. */
export class TestIdentity implements IdentitySource {
  readonly #authority: TestAuthority;
  readonly #watchers = new Set<(next: Svid) => void>();
  #svid: Svid | undefined;
  #generation = 0;

  constructor(authority: TestAuthority) {
    this.#authority = authority;
  }

  current(): Svid | undefined {
    return this.#svid;
  }

  onRotate(run: (next: Svid) => void): Cancel {
    this.#watchers.add(run);
    return () => this.#watchers.delete(run);
  }

  rotate(spiffeId: string): void {
    const { certificatePem, keyPem } = this.#authority.issue(spiffeId);
    this.#svid = {
      spiffeId,
      generation: ++this.#generation,
      certificateChainPem: certificatePem,
      privateKeyPem: keyPem,
      trustBundlePem: this.#authority.certificatePem,
      serialNumber: String(this.#generation),
      notBeforeMs: 0,
      notAfterMs: 0,
    };
    for (const run of this.#watchers) run(this.#svid);
  }
}
