import { expect, it } from 'vitest';
import { exchange } from '../testing/fakes.ts';
import { createRefusal } from './refuse.ts';

it('what cannot be enforced refuses everybody, as a policy would, and the details say what it is', () => {
  const filter = createRefusal('envoy.filters.http.wasm');
  expect([filter.name, filter.onRequest!(exchange())]).toEqual([
    'envoy.filters.http.wasm',
    expect.objectContaining({ status: 403, details: 'ripstop_unenforceable_filter{envoy.filters.http.wasm}', body: 'RBAC: access denied' }),
  ]);
});
