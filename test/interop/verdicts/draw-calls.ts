import type { Call } from '../../conformance/authorization-policy.ts';
import { ACCOUNTS, AUDIENCES, ISSUERS, LEVELS, NAMESPACES, PRESENTERS, SUBJECTS } from './draw-policies.ts';
import { DEFECTS, type Defect } from './token-issuers.ts';

export interface DrawnCall {
  readonly call: Call;
  readonly defect: Defect;
}

/** Without certificate and token. */
export const PLAIN_CALL: Call = {
  principal: '',
  ip: '127.0.0.1',
  remoteIp: '',
  host: 'app.test',
  method: 'GET',
  path: '/',
  port: 0,
  destinationIp: '127.0.0.1',
  sni: '',
  header: undefined,
  claims: undefined,
  extra: undefined,
};

/** Names that are legal in a certificate and that a careless pattern takes for others. */
export const ODD_PRINCIPALS: readonly string[] = [
  'cluster.local/ns/evil/ns/foo/sa/client',
  'cluster.local/ns/foo/sa/client/extra',
  'cluster.local/x/ns/default/sa/admin',
];

/** A call with or without certificate and token, from the same few names as the policies. */
export function drawCall(random: () => number): DrawnCall {
  const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const principal = random() < 0.15 ? '' : `cluster.local/ns/${one(NAMESPACES)}/sa/${one(ACCOUNTS)}`;
  const claims =
    random() < 0.3
      ? undefined
      : {
          iss: one(ISSUERS),
          sub: random() < 0.1 ? '' : one(SUBJECTS),
          aud: random() < 0.5 ? [one(AUDIENCES)] : [one(AUDIENCES), 'more'],
          azp: one(PRESENTERS),
          nested: one(LEVELS),
        };
  const call: Call = { ...PLAIN_CALL, principal, path: one(['/', '/a/1', '/b']), claims };
  return { call, defect: claims === undefined ? '' : one(DEFECTS) };
}
