import { createRefusal, type FilterFactory } from '@ripstop/core';
import { typeUrlOf } from '@ripstop/xds-api';
import { rawField, rawFields } from '../raw-fields.ts';

const TYPE = 'envoy.extensions.filters.http.wasm.v3.Wasm';

/** Fields of Wasm and of its PluginConfig (envoy/extensions/wasm/v3), which are not among the generated messages. */
const CONFIG = 1;
const FAIL_OPEN = 5;
const FAILURE_POLICY = 7;
const POLICY_FAIL_OPEN = 3;

/**
 * A plugin of Envoy's, which cannot run here: as where its module cannot be loaded, requests pass it when it says so (FAIL_OPEN), else
 * every one is refused.
 */
export const wasm: FilterFactory<{ readonly failsOpen: boolean }> = {
  typeUrl: typeUrlOf(TYPE),
  directions: ['inbound', 'outbound'],
  decode: (body) => {
    const fields = rawField(body, CONFIG).flatMap(rawFields);
    const failsOpen = fields.some(
      ({ number, value }) => (number === FAIL_OPEN && value === 1) || (number === FAILURE_POLICY && value === POLICY_FAIL_OPEN),
    );
    return { failsOpen };
  },
  create: ({ failsOpen }) => (failsOpen ? undefined : createRefusal(TYPE)),
};
