import { packAny, ReqWithoutQuery, type SubstitutionFormatString, type TypedExtensionConfig } from '@ripstop/xds-api';
import type { FieldsOf } from './values.ts';

type FormatFields = FieldsOf<typeof SubstitutionFormatString>;

/** Istio's default format (measured on istiod); Envoy's own differs. */
export const TEXT_FORMAT: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% ' +
  '%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" ' +
  '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

/** Istio's default of accessLogEncoding JSON. */
const JSON_FORMAT: Readonly<Record<string, string>> = {
  start_time: '%START_TIME%',
  route_name: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
};

/** accessLogFormat and accessLogEncoding of MeshConfig. A JSON format that is none gives the default (validation tells). */
export function meshLogFormat({ format, encoding }: { readonly format: string; readonly encoding: string }): FormatFields {
  if (encoding !== 'JSON') return textFormat(format, false);
  return jsonFormat(objectOf(format) ?? JSON_FORMAT, false);
}

/** logFormat of an envoyFileAccessLog provider. */
export function fileLogFormat(
  logFormat: { readonly text?: string; readonly labels?: Readonly<Record<string, unknown>> } | undefined,
  omitEmptyValues: boolean,
): FormatFields {
  const labels = logFormat?.labels;
  if (labels === undefined) return textFormat(logFormat?.text ?? '', omitEmptyValues);
  return jsonFormat(Object.keys(labels).length === 0 ? JSON_FORMAT : labels, omitEmptyValues);
}

/** A format of one's own gets its newline. */
function textFormat(format: string, omitEmptyValues: boolean): FormatFields {
  const text = format === '' ? TEXT_FORMAT : format.endsWith('\n') ? format : `${format}\n`;
  return {
    format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: text } } },
    omitEmptyValues,
    ...formatters(text.includes(WITHOUT_QUERY)),
  };
}

function jsonFormat(labels: Readonly<Record<string, unknown>>, omitEmptyValues: boolean): FormatFields {
  return {
    format: { $case: 'jsonFormat', value: { ...labels } },
    jsonFormatOptions: {},
    omitEmptyValues,
    ...formatters(Object.values(labels).some((value) => typeof value === 'string' && value.includes(WITHOUT_QUERY))),
  };
}

const WITHOUT_QUERY = '%REQ_WITHOUT_QUERY';

/** The operator is an extension, which has no settings. */
function formatters(needed: boolean): { readonly formatters?: FieldsOf<typeof TypedExtensionConfig>[] } {
  if (!needed) return {};
  return { formatters: [{ name: 'envoy.formatter.req_without_query', typedConfig: packAny(ReqWithoutQuery, {}) }] };
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = text === '' ? undefined : JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
