import { directResponse, type InboundAction, type PathMatch, type ReplyAction, type Route } from '@ripstop/core';
import type {
  DataSource,
  DirectResponseAction,
  RouteAction,
  Route as RouteMessage,
  VirtualHost as VirtualHostMessage,
} from '@ripstop/xds-api';
import { forwardAction } from './forward-action.ts';
import { redirectAction } from './redirect-action.ts';
import type { RouteEnv } from './route-env.ts';
import { timesOf } from './route-times.ts';

/** Envoy's max_direct_response_body_size_bytes. */
const MAX_DIRECT_BODY = 4096;

/** What becomes of requests that a route matches. */
export function compileAction(route: RouteMessage, host: VirtualHostMessage, path: PathMatch, env: RouteEnv): Route['action'] {
  const { action } = route;
  switch (action?.$case) {
    case 'redirect':
      return redirectAction(action.value, path);
    case 'directResponse':
      return directAction(action.value);
    case 'route':
      return env.direction === 'inbound' ? inboundAction(action.value, env) : forwardAction(action.value, route, host, path, env);
    default:
      throw new Error(`action ${action?.$case ?? 'missing'} is not supported`);
  }
}

function directAction({ status, body }: DirectResponseAction): ReplyAction {
  const text = inlineText(body?.specifier);
  if (text === undefined) throw new Error('a direct response from a file or environment variable is not supported');
  if (status < 200 || status > 599) throw new Error(`a direct response of status ${status}; it must be from 200 to 599`);
  if (text.length > MAX_DIRECT_BODY) throw new Error(`a direct response of ${text.length} bytes; at most ${MAX_DIRECT_BODY} are possible`);
  return { kind: 'reply', reply: directResponse(status, text) };
}

/** Undefined: it stands elsewhere. */
function inlineText(source: DataSource['specifier']): string | undefined {
  switch (source?.$case) {
    case undefined:
      return '';
    case 'inlineString':
      return source.value;
    case 'inlineBytes':
      return new TextDecoder().decode(source.value);
    default:
      return undefined;
  }
}

function inboundAction(action: RouteAction, env: RouteEnv): InboundAction {
  const specifier = action.clusterSpecifier;
  if (specifier?.$case !== 'cluster') throw new Error('an inbound route must name its cluster');
  return {
    kind: 'inbound',
    clusterName: specifier.value,
    ...timesOf(action, env.maxStreamDurationMs),
  };
}
