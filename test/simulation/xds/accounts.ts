import { formatResponseFlags } from '@ripstop/core';
import type { Mesh } from '@ripstop/node';

/** What Envoy's access log says of a call in a table of xDS text: flags, then details. */
export const ACCOUNT_FORMAT = '%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%';

/** The same of every exchange that a mesh ends from now on. */
export function accountsOf({ parts: { telemetry } }: Mesh): readonly string[] {
  const accounts: string[] = [];
  const end = telemetry.onEnd.bind(telemetry);
  telemetry.onEnd = (x, outcome) => {
    accounts.push(`${formatResponseFlags(x.flags)} ${x.details === '' ? 'via_upstream' : x.details.replaceAll(' ', '_')}`);
    end(x, outcome);
  };
  return accounts;
}
