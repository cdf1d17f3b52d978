import type { AccessLogConfig, JsonFormat } from '@ripstop/core';
import { type AccessLog, type Any, FileAccessLog, isAny, type SubstitutionFormatString, unpackAny } from '@ripstop/xds-api';
import { compileAccessLogFilter } from './access-log-filter.ts';

/** Envoy's own, for a file logger that says nothing. */
const ENVOY_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Loggers to files. Loggers that send elsewhere are an Envoy's: they change nothing for a request, and are left out. */
export function compileAccessLogs(logs: readonly AccessLog[]): readonly AccessLogConfig[] {
  return logs.flatMap(({ configType, filter }): AccessLogConfig[] => {
    const any: Any | undefined = configType?.$case === 'typedConfig' ? configType.value : undefined;
    if (!isAny(FileAccessLog, any)) return [];
    const { path, accessLogFormat } = unpackAny(FileAccessLog, any);
    return [{ path, filter: filter === undefined ? undefined : compileAccessLogFilter(filter), ...formatOf(accessLogFormat) }];
  });
}

type Format = Pick<AccessLogConfig, 'format' | 'omitEmpty'>;

function formatOf(format: FileAccessLog['accessLogFormat']): Format {
  switch (format?.$case) {
    case undefined:
      return text(ENVOY_FORMAT);
    case 'format':
      return text(format.value);
    case 'logFormat':
      return substitution(format.value);
    case 'jsonFormat':
    case 'typedJsonFormat':
      return { format: { kind: 'json', fields: (format.value ?? {}) as JsonFormat }, omitEmpty: false };
  }
}

function substitution({ format, omitEmptyValues }: SubstitutionFormatString): Format {
  switch (format?.$case) {
    case undefined:
      throw new Error('an access log format that says nothing');
    case 'jsonFormat':
      return { format: { kind: 'json', fields: (format.value ?? {}) as JsonFormat }, omitEmpty: omitEmptyValues };
    case 'textFormat':
      return text(format.value, omitEmptyValues);
    case 'textFormatSource':
      if (format.value.specifier?.$case === 'inlineString') return text(format.value.specifier.value, omitEmptyValues);
      throw new Error('an access log format from elsewhere than the configuration itself is not supported');
  }
}

function text(value: string, omitEmpty = false): Format {
  return { format: { kind: 'text', text: value }, omitEmpty };
}
