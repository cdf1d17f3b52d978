import {
  type HttpConnectionManager,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpProtocolOptions_HeadersWithUnderscoresAction,
} from '@ripstop/xds-api';
import type { ConnectionSettings } from '../push/connection-settings.ts';
import type { ProxySettings } from '../push/proxy-settings.ts';
import { duration, type FieldsOf } from './values.ts';

type ManagerFields = FieldsOf<typeof HttpConnectionManager>;

const { ALLOW, REJECT_REQUEST, DROP_HEADER } = HttpProtocolOptions_HeadersWithUnderscoresAction;
const UNDERSCORES: Readonly<Record<string, HttpProtocolOptions_HeadersWithUnderscoresAction>> = {
  HEADERS_WITH_UNDERSCORES_ALLOW: ALLOW,
  HEADERS_WITH_UNDERSCORES_REJECT_REQUEST: REJECT_REQUEST,
  HEADERS_WITH_UNDERSCORES_DROP_HEADER: DROP_HEADER,
};

const ESCAPED: Readonly<Record<string, HttpConnectionManager_PathWithEscapedSlashesAction>> = {
  KEEP_UNCHANGED: HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED,
  REJECT_REQUEST: HttpConnectionManager_PathWithEscapedSlashesAction.REJECT_REQUEST,
  UNESCAPE_AND_REDIRECT: HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT,
  UNESCAPE_AND_FORWARD: HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_FORWARD,
};

/**
 * What a proxy's settings say of its connections, over what a connection manager has otherwise (Istio: applyConnectionSettingsToHCM).
 * `http2`: the port is named as HTTP/2.
 */
export function connectionFields({ connections, idleTimeout }: ProxySettings, http2: boolean): ManagerFields {
  return {
    ...timeouts(connections),
    ...common(connections, idleTimeout),
    ...http2Options(connections, http2),
    ...(connections.httpMergeSlashes === undefined ? {} : { mergeSlashes: connections.httpMergeSlashes }),
    ...known('pathWithEscapedSlashesAction', ESCAPED[connections.httpPathWithEscapedSlashesAction ?? '']),
  };
}

function timeouts(settings: ConnectionSettings): ManagerFields {
  return {
    ...known('streamIdleTimeout', duration(settings.httpStreamIdleTimeout)),
    ...known('requestTimeout', duration(settings.httpRequestTimeout)),
    ...known('requestHeadersTimeout', duration(settings.httpRequestHeadersTimeout)),
    ...known('drainTimeout', duration(settings.httpDrainTimeout)),
  };
}

function common(settings: ConnectionSettings, ofNode: string | undefined): ManagerFields {
  const options = {
    ...known('idleTimeout', duration(settings.httpIdleTimeout ?? ofNode)),
    ...known('maxConnectionDuration', duration(settings.httpMaxConnectionDuration)),
    ...known('maxStreamDuration', duration(settings.httpMaxStreamDuration)),
    ...known('headersWithUnderscoresAction', UNDERSCORES[settings.httpHeadersWithUnderscoresAction ?? '']),
  };
  return Object.keys(options).length === 0 ? {} : { commonHttpProtocolOptions: options };
}

function http2Options(settings: ConnectionSettings, named: boolean): ManagerFields {
  const options = {
    ...known('maxConcurrentStreams', settings.httpMaxConcurrentStreams),
    ...known('initialStreamWindowSize', settings.http2InitialStreamWindowSize),
    ...known('initialConnectionWindowSize', settings.http2InitialConnectionWindowSize),
  };
  return named || Object.keys(options).length > 0 ? { http2ProtocolOptions: options } : {};
}

function known<Name extends string, T>(name: Name, value: T | undefined): { [Key in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in Name]?: T };
}
