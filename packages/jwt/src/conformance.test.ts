import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FilterRun, istiodConfig, provider } from './testing/filter-run.ts';

const dir = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../shared/conformance'), 'jwt');
const present = existsSync(dir);
if (!present) console.log(`skipped: Istio's sample tokens (no ${dir})`);
const read = (file: string): string => readFileSync(join(dir, file), 'utf8').trim();

describe.skipIf(!present)("Istio's sample tokens", () => {
  const run = (issuer = 'testing@secure.istio.io', more = {}): FilterRun =>
    new FilterRun(istiodConfig(provider(issuer, read('jwks.json'), more)));
  const payload = async (file: string): Promise<unknown> => {
    const { reply, x } = await run().run({ lines: [['authorization', `Bearer ${read(file)}`]] });
    return reply ?? x.metadata?.get('envoy.filters.http.jwt_authn')?.payload;
  };

  it('are accepted, with their claims', async () => {
    expect(await payload('demo.jwt')).toMatchObject({ iss: 'testing@secure.istio.io', sub: 'testing@secure.istio.io', foo: 'bar' });
    expect(await payload('groups-scope.jwt')).toMatchObject({ groups: ['group1', 'group2'], scope: ['scope1', 'scope2'] });
  });

  it('are refused for another issuer, an audience, after their end, and with one character changed', async () => {
    const token = read('demo.jwt');
    expect(await run('x').bearer(token)).toBe('401 Jwt issuer is not configured');
    expect(await run(undefined, { audiences: ['a'] }).bearer(token)).toBe('403 Audiences in Jwt are not allowed');
    const late = run();
    late.nowMs = (4_685_989_700 + 61) * 1000;
    expect(await late.bearer(token)).toBe('401 Jwt is expired');
    const at = token.lastIndexOf('.') + 20;
    const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    expect(await run().bearer(changed)).toBe('401 Jwt verification fails');
  });
});
