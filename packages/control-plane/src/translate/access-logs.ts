import { type AccessLog, FileAccessLog, packAny } from '@ripstop/xds-api';
import type { MeshConfig } from '../push/mesh-config.ts';
import type { FieldsOf } from './values.ts';

type AccessLogFields = FieldsOf<typeof AccessLog>;

/** Istio's default format (measured on istiod); Envoy's own differs. */
const TEXT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% ' +
  '%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" ' +
  '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

/** The access log of MeshConfig; off unless a file is named. */
export function accessLogs(mesh: MeshConfig): AccessLogFields[] {
  if (mesh.accessLog === undefined) return [];
  const { path, format } = mesh.accessLog;
  const text = format === '' ? TEXT_FORMAT : format.endsWith('\n') ? format : `${format}\n`;
  const config = FileAccessLog.fromPartial({
    path,
    accessLogFormat: {
      $case: 'logFormat',
      value: { format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: text } } } },
    },
  });
  return [{ name: 'envoy.access_loggers.file', configType: { $case: 'typedConfig', value: packAny(FileAccessLog, config) } }];
}

/** The same for a listener of captured traffic: it logs connections for which it has no filter chain (flag NR). */
export function unroutedAccessLogs(mesh: MeshConfig): AccessLogFields[] {
  return accessLogs(mesh).map((log) => ({
    ...log,
    filter: { filterSpecifier: { $case: 'responseFlagFilter', value: { flags: ['NR'] } } },
  }));
}
