import { describe, expect, it } from 'vitest';
import { createRouters, tryAgreement } from './agreement/agreement.ts';
import { seeded } from './agreement/seeded.ts';

describe('policies and the routers of apps', () => {
  it('agree: no app serves what its policy forbids, however the path is spelled', async () => {
    const { served, disagreements } = await tryAgreement(6_000, seeded(1), await createRouters());
    expect(disagreements).toEqual([]);
    expect(served).toBeGreaterThan(1_000);
  });

  it('agree where a policy names a path in another spelling than the route: an ALLOW admits no route that it does not name', async () => {
    const { served, disagreements } = await tryAgreement(6_000, seeded(2), await createRouters(), { spelled: true });
    expect(disagreements).toEqual([]);
    expect(served).toBeGreaterThan(500);
  });

  it("do not agree where policies are read as Istio's, so that the test could fail", async () => {
    for (const spelled of [false, true]) {
      const { disagreements } = await tryAgreement(6_000, seeded(1), await createRouters(), {
        settings: { pathBinding: 'istio' },
        spelled,
      });
      expect(disagreements.length).toBeGreaterThan(20);
    }
  });
});
