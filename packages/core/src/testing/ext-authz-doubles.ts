import type { ExtAuthzConfig } from '../filters/ext-authz/ext-authz.ts';
import type { Authorizer, AuthzQuestion, AuthzVerdict } from '../filters/ext-authz/verdict.ts';

/** Lets pass, changes nothing. */
export const OK: Extract<AuthzVerdict, { readonly kind: 'ok' }> = {
  kind: 'ok',
  request: [],
  removed: [],
  response: [],
  query: undefined,
  metadata: undefined,
};

/** Says the same of every request. */
export class FakeAuthorizer implements Authorizer {
  readonly asked: AuthzQuestion[] = [];
  private readonly verdict: AuthzVerdict;

  constructor(verdict: AuthzVerdict) {
    this.verdict = verdict;
  }

  ask(_x: unknown, question: AuthzQuestion): Promise<AuthzVerdict> {
    this.asked.push(question);
    return Promise.resolve(this.verdict);
  }
}

/** Envoy's defaults. */
export function extAuthzConfig(authorizer: Authorizer, changes: Partial<ExtAuthzConfig> = {}): ExtAuthzConfig {
  return {
    authorizer,
    failureModeAllow: false,
    failureModeAllowHeader: false,
    statusOnError: 403,
    enabledWhen: undefined,
    enabledShare: undefined,
    denyAtDisable: false,
    body: undefined,
    clearRouteCache: false,
    ...changes,
  };
}
