import type { CheckResult, HealthCheckKind, StatusRange } from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { type Answer, containsInOrder, type Question } from './question.ts';

type HttpCheck = Extract<HealthCheckKind, { readonly kind: 'http' }>;

export class HttpQuestion implements Question {
  readonly request: Dispatcher.DispatchOptions;
  private readonly check: HttpCheck;

  constructor(check: HttpCheck, host: string) {
    this.check = check;
    const headers = ['host', host, ...check.headers.flat()];
    // undici would close the connection after every HEAD.
    const reset = check.method === 'HEAD' ? { reset: false } : {};
    this.request = { path: check.path, method: check.method as Dispatcher.HttpMethod, headers, body: null, ...reset };
  }

  judge({ status, headers, body }: Answer): CheckResult {
    const { expected, retriable, receive } = this.check;
    if (!within(expected, status)) return { kind: 'fail', immediate: !within(retriable, status) };
    if (!containsInOrder(body, receive)) return { kind: 'fail', immediate: true };
    return { kind: 'pass', degraded: headers['x-envoy-degraded'] !== undefined };
  }
}

function within(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(({ start, end }) => status >= start && status < end);
}
