import { type ExchangeFilter, formatResponseFlags } from '@ripstop/core';
import {
  type AccessLogFilter,
  CelAccessLogFilter,
  type ComparisonFilter,
  ComparisonFilter_Op,
  type GrpcStatusFilter_Status,
  isAny,
  unpackAny,
} from '@ripstop/xds-api';
import { compileHeaderMatcher } from '../matchers.ts';
import { compileCel } from './cel.ts';

/** A condition under which a finished exchange is logged. Throws on one that is not supported: a log that is silently fuller or emptier lies. */
export function compileAccessLogFilter({ filterSpecifier }: AccessLogFilter): ExchangeFilter {
  switch (filterSpecifier?.$case) {
    case 'statusCodeFilter': {
      const compare = comparison(filterSpecifier.value.comparison);
      return (_x, { status }) => compare(status);
    }
    case 'durationFilter': {
      const compare = comparison(filterSpecifier.value.comparison);
      return (x, { endedAt }) => compare(Math.trunc(endedAt - x.startedAt));
    }
    case 'responseFlagFilter': {
      const flags = new Set(filterSpecifier.value.flags);
      // Without names: any flag.
      return (x) =>
        x.flags !== 0 &&
        (flags.size === 0 ||
          formatResponseFlags(x.flags)
            .split(',')
            .some((flag) => flags.has(flag)));
    }
    case 'grpcStatusFilter': {
      const statuses = new Set<number>(filterSpecifier.value.statuses.map((status: GrpcStatusFilter_Status) => status));
      const { exclude } = filterSpecifier.value;
      return (_x, { grpcStatus, status }) => statuses.has(grpcStatus ?? (status === 200 ? 0 : 2)) !== exclude;
    }
    case 'headerFilter': {
      if (filterSpecifier.value.header === undefined) throw new Error('an access log filter by header names none');
      const matches = compileHeaderMatcher(filterSpecifier.value.header);
      return ({ request }) => matches(request);
    }
    case 'notHealthCheckFilter':
      return () => true;
    case 'andFilter': {
      const all = filterSpecifier.value.filters.map(compileAccessLogFilter);
      return (x, outcome) => all.every((filter) => filter(x, outcome));
    }
    case 'orFilter': {
      const any = filterSpecifier.value.filters.map(compileAccessLogFilter);
      return (x, outcome) => any.some((filter) => filter(x, outcome));
    }
    case 'extensionFilter': {
      const config = filterSpecifier.value.configType?.$case === 'typedConfig' ? filterSpecifier.value.configType.value : undefined;
      if (!isAny(CelAccessLogFilter, config)) throw new Error(`access log filter ${filterSpecifier.value.name} is not supported`);
      const expression = compileCel(unpackAny(CelAccessLogFilter, config).expression);
      return (x, outcome) => expression(x, outcome) === true;
    }
    default:
      throw new Error(`access log filter ${filterSpecifier?.$case ?? 'nothing'} is not supported`);
  }
}

function comparison(filter: ComparisonFilter | undefined): (value: number) => boolean {
  const bound = filter?.value?.defaultValue ?? 0;
  switch (filter?.op) {
    case ComparisonFilter_Op.EQ:
      return (value) => value === bound;
    case ComparisonFilter_Op.GE:
      return (value) => value >= bound;
    case ComparisonFilter_Op.LE:
      return (value) => value <= bound;
    default:
      throw new Error('an access log filter without a comparison that is known');
  }
}
