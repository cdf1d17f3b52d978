import { describe, expect, it } from 'vitest';
import type { Exchange } from '../exchange.ts';
import { compileHeaderValue } from './header-value.ts';

const NOON = Date.UTC(2026, 10, 26, 12, 0, 0, 7);
/** The call began 5 ms ago. */
const clock = { now: () => 105, wallTime: () => NOON + 5 };
const begun = { startedAt: 100 } as Exchange;

describe('times in header values', () => {
  it.each([
    ['%START_TIME%', '2026-11-26T12:00:00.007Z'],
    ['%DURATION%', '5'],
    ['at %START_TIME(%Y/%m/%d %H:%M)%', 'at 2026/11/26 12:00'],
  ])('%s is when the call began', (format, expected) => {
    expect(compileHeaderValue(format, clock)(begun, { header: () => undefined })).toBe(expected);
  });

  it('are refused where nobody knows the time', () => {
    expect(() => compileHeaderValue('%START_TIME%')).toThrow('%START_TIME% is not supported');
    expect(() => compileHeaderValue('%DURATION%')).toThrow('%DURATION% is not supported');
  });
});

describe('operators of what is not known while a head is written', () => {
  it.each([
    'BYTES_SENT',
    'BYTES_RECEIVED',
    'RESPONSE_DURATION',
    'TRAILER(x)',
    'FILTER_STATE(x)',
    'UPSTREAM_LOCAL_ADDRESS',
    'VIRTUAL_CLUSTER_NAME',
  ])('%s is refused by its name', (operator) => {
    const name = operator.replace(/\(.*/, '');
    expect(() => compileHeaderValue(`%${operator}%`, clock)).toThrow(`the operator %${name}% is not supported`);
  });
});
