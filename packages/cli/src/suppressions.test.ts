import type { Finding } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { collectSuppression, isSuppressed, unknownCodes } from './suppressions.ts';

const finding = (object: string, code = 'IST0118'): Finding => ({
  code,
  severity: 'info',
  object,
  position: { file: 'a.yaml', line: 1, column: 1 },
  path: '',
  message: '',
});

describe('--suppress', () => {
  it.each([
    ['IST0118=Service web.default', 'Service default/web', true],
    ['IST0118=Service *.default', 'Service default/web', true],
    ['IST0118=Service w*', 'Service default/web', true],
    ['IST0118=*', 'Service default/web', true],
    ['IST0118=Namespace default', 'Namespace default', true],
    ['IST0118=Service webXdefault', 'Service default/web', false],
    ['IST0118=Service *.other', 'Service default/web', false],
    ['IST0101=Service *.default', 'Service default/web', false],
  ])('%s of %s: %s', (text, object, expected) => {
    expect(isSuppressed(finding(object), collectSuppression(text, []))).toBe(expected);
  });

  it('may be given several times, and says which codes nothing has', () => {
    const all = collectSuppression('IST9999=*', collectSuppression('IST0118=*', []));
    expect(all.map(({ code }) => code)).toEqual(['IST0118', 'IST9999']);
    expect(unknownCodes(all)).toEqual(['IST9999']);
  });

  it.each(['IST0118', '=Service a.b', 'IST0118=', 'IST0118=a=b'])('%s is refused with the form that it wants', (text) => {
    expect(() => collectSuppression(text, [])).toThrow('Give <code>=<Kind name.namespace>');
  });
});
