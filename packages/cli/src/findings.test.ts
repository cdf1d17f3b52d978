import type { Finding, Severity } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { exitCodeOf, renderFindings } from './findings.ts';

function finding(severity: Severity, code = 'IST0101'): Finding {
  return {
    code,
    severity,
    object: 'VirtualService default/reviews',
    position: { file: 'mesh/reviews.yaml', line: 9, column: 11 },
    path: 'spec.http[0]',
    message: 'Referenced host not found: "rewiews"',
  };
}

describe('exit codes are those of istioctl analyze', () => {
  it.each([
    { found: [], threshold: 'error', code: 0 },
    { found: [finding('warning'), finding('info')], threshold: 'error', code: 0 },
    { found: [finding('error')], threshold: 'error', code: 79 },
    { found: [finding('warning')], threshold: 'warning', code: 79 },
    { found: [finding('info')], threshold: 'warning', code: 0 },
    { found: [finding('info')], threshold: 'info', code: 79 },
    { found: [finding('error', 'RIPSTOP_YAML')], threshold: 'error', code: 65 },
    { found: [finding('error', 'RIPSTOP_YAML'), finding('error')], threshold: 'error', code: 79 },
  ] as const)('$code for $found at $threshold', ({ found, threshold, code }) => {
    expect(exitCodeOf(found, threshold)).toBe(code);
  });
});

describe('findings as text', () => {
  it('has the fields of istioctl in JSON, worst first', () => {
    const [first, second] = JSON.parse(renderFindings([finding('warning'), finding('error')], 'json'));
    expect(second.level).toBe('Warning');
    expect(first).toEqual({
      code: 'IST0101',
      name: 'ReferencedResourceNotFound',
      documentationUrl: 'https://istio.io/latest/docs/reference/config/analysis/ist0101/',
      level: 'Error',
      message: 'Referenced host not found: "rewiews"',
      origin: 'VirtualService default/reviews',
      reference: 'mesh/reviews.yaml:9',
      column: 11,
      path: 'spec.http[0]',
    });
  });

  it('says the same in YAML', () => {
    for (const findings of [[], [finding('error')], [finding('error'), finding('info', 'RIPSTOP_YAML')]])
      expect(parse(renderFindings(findings, 'yaml'))).toEqual(JSON.parse(renderFindings(findings, 'json')));
  });

  it('aligns a table, one line for each finding', () => {
    const lines = renderFindings([{ ...finding('info'), message: 'two\nlines' }, finding('error')], 'table').split('\n');
    expect(lines).toHaveLength(3);
    expect(new Set(lines.map((line) => line.search(/WHERE|mesh\//)))).toEqual(new Set([lines[0]!.indexOf('WHERE')]));
    expect(lines[2]).toMatch(/^info .*spec\.http\[0\]: two lines$/);
  });

  it('has a line for each in the form of istioctl', () => {
    expect(renderFindings([finding('error')], 'log')).toBe(
      'Error [IST0101] (VirtualService default/reviews mesh/reviews.yaml:9) spec.http[0]: Referenced host not found: "rewiews"',
    );
  });

  it('prints no empty table', () => {
    expect(renderFindings([], 'table')).toBe('');
    expect(renderFindings([], 'json')).toBe('[]');
  });
});
