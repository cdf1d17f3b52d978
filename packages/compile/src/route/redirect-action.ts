import { localReply, type PathMatch, type RedirectSpec, type ReplyAction, redirectLocation } from '@ripstop/core';
import { type RedirectAction, RedirectAction_RedirectResponseCode } from '@ripstop/xds-api';
import { substitution } from './substitution.ts';

export function redirectAction(message: RedirectAction, path: PathMatch): ReplyAction {
  const statuses = new Map<number, number>([
    [RedirectAction_RedirectResponseCode.FOUND, 302],
    [RedirectAction_RedirectResponseCode.SEE_OTHER, 303],
    [RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT, 307],
    [RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT, 308],
  ]);
  const scheme = message.schemeRewriteSpecifier;
  const rewrite = message.pathRewriteSpecifier;
  if (rewrite?.$case === 'prefixRewrite' && path.kind === 'template')
    throw new Error('prefix_rewrite on a route that matches by a path template');
  const spec: RedirectSpec = {
    status: statuses.get(message.responseCode) ?? 301,
    httpsRedirect: scheme?.$case === 'httpsRedirect' && scheme.value,
    scheme: scheme?.$case === 'schemeRedirect' ? scheme.value : '',
    host: message.hostRedirect,
    port: message.portRedirect,
    path: rewrite?.$case === 'pathRedirect' ? rewrite.value : undefined,
    prefixRewrite: rewrite?.$case === 'prefixRewrite' ? rewrite.value : '',
    regexRewrite: rewrite?.$case === 'regexRewrite' ? substitution(rewrite.value) : undefined,
    stripQuery: message.stripQuery,
  };
  return {
    kind: 'reply',
    reply: (x) => localReply({ status: spec.status, details: 'direct_response', headers: [['location', redirectLocation(x, spec, path)]] }),
  };
}
