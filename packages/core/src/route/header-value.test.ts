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
    ['at %START_TIME(%Y/%m/%d %H:%M)%', 'at 2026/11/26 12:00'],
  ])('%s is when the call began', (format, expected) => {
    expect(compileHeaderValue(format, clock)(begun, { header: () => undefined })).toBe(expected);
  });

  it('are refused where nobody knows the time', () => {
    expect(() => compileHeaderValue('%START_TIME%')).toThrow('%START_TIME% is not supported');
  });
});
