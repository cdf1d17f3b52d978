import { createRefusal, type FilterFactory } from '@ripstop/core';
import { FailurePolicy, HttpWasm, typeUrlOf } from '@ripstop/xds-api';

const TYPE = 'envoy.extensions.filters.http.wasm.v3.Wasm';

/**
 * A plugin of Envoy's, which cannot run here: as where its module cannot be loaded, requests pass it when it says so (FAIL_OPEN), else
 * every one is refused.
 */
export const wasm: FilterFactory<{ readonly failsOpen: boolean }> = {
  typeUrl: typeUrlOf(TYPE),
  directions: ['inbound', 'outbound'],
  decode: (body) => {
    const { failOpen = false, failurePolicy } = HttpWasm.decode(body).config ?? {};
    return { failsOpen: failOpen || failurePolicy === FailurePolicy.FAIL_OPEN };
  },
  create: ({ failsOpen }) => (failsOpen ? undefined : createRefusal(TYPE)),
};
