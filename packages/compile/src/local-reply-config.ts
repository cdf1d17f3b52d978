import {
  type Clock,
  compileAccessLog,
  compileHeaderMutations,
  compileOperator,
  createReplyRewrite,
  type JsonFormat,
  type Operator,
  type ReplyFormat,
  type ReplyMapper,
  type ReplyRewrite,
} from '@ripstop/core';
import type { DataSource, LocalReplyConfig, ResponseMapper, SubstitutionFormatString } from '@ripstop/xds-api';
import { compileAddition } from './header-operations.ts';
import { compileAccessLogFilter } from './telemetry/access-log-filter.ts';

/** Of what has not happened yet when a reply is written. */
const TOO_EARLY: ReadonlySet<string> = new Set([
  'BYTES_RECEIVED',
  'BYTES_SENT',
  'EMIT_TIME',
  'GRPC_STATUS',
  'GRPC_STATUS_NUMBER',
  'REQUEST_DURATION',
  'REQUEST_TX_DURATION',
  'RESPONSE_DURATION',
  'RESPONSE_TX_DURATION',
  'UPSTREAM_LOCAL_ADDRESS',
]);

/** What a connection manager makes of replies of its own. Throws for what cannot be said at that time: it is refused, not left out. */
export function compileLocalReplyConfig(config: LocalReplyConfig, clock: Clock): ReplyRewrite {
  const mappers = config.mappers.map((mapper, index) => compileMapper(mapper, `local_reply_config.mappers[${index}]`, clock));
  const format = config.bodyFormat === undefined ? undefined : compileFormat(config.bodyFormat, 'local_reply_config.body_format');
  return createReplyRewrite(mappers, format, clock);
}

function compileMapper(mapper: ResponseMapper, field: string, clock: Clock): ReplyMapper {
  const { filter, statusCode, body, bodyFormatOverride, headersToAdd } = mapper;
  if (filter === undefined) throw new Error(`${field} has no filter`);
  if (statusCode !== undefined && (statusCode < 200 || statusCode >= 600))
    throw new Error(`${field}.status_code ${statusCode} must be from 200 to 599`);
  const additions = headersToAdd.map(compileAddition);
  return {
    matches: compileAccessLogFilter(filter),
    status: statusCode,
    body: body === undefined ? undefined : textOf(body, `${field}.body`),
    headers: compileHeaderMutations([{ requestAdd: [], requestRemove: [], responseAdd: additions, responseRemove: [] }], clock, 'filter'),
    format: bodyFormatOverride === undefined ? undefined : compileFormat(bodyFormatOverride, `${field}.body_format_override`),
  };
}

function compileFormat(message: SubstitutionFormatString, field: string): ReplyFormat {
  const { format, omitEmptyValues: omitEmpty, contentType, formatters } = message;
  if (formatters.length > 0) throw new Error(`${field}.formatters is not supported`);
  const find = (name: string, argument: string | undefined): Operator => {
    const operator = TOO_EARLY.has(name) ? undefined : compileOperator(name, argument);
    if (operator === undefined) throw new Error(`${field}: the operator %${name}% is not supported`);
    return operator;
  };
  const [type, fields] = format?.$case === 'jsonFormat' ? (['application/json', format.value ?? {}] as const) : ['text/plain', undefined];
  return {
    contentType: contentType === '' ? type : contentType,
    render: compileAccessLog(
      {
        omitEmpty,
        format: fields === undefined ? { kind: 'text', text: formatText(format, field) } : { kind: 'json', fields: fields as JsonFormat },
      },
      find,
    ),
  };
}

function formatText(format: SubstitutionFormatString['format'], field: string): string {
  if (format?.$case === 'textFormat') return format.value;
  if (format?.$case === 'textFormatSource') return textOf(format.value, `${field}.text_format_source`);
  throw new Error(`${field} says nothing`);
}

function textOf({ specifier }: DataSource, field: string): string {
  if (specifier?.$case === 'inlineString') return specifier.value;
  if (specifier?.$case === 'inlineBytes') return Buffer.from(specifier.value).toString();
  throw new Error(`${field}: only inline texts are supported`);
}
