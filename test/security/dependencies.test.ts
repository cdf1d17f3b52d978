import { describe, expect, it } from 'vitest';
import { findingsOf, reaches } from '../../scripts/deps/rules.ts';

const good = { name: 'undici', version: '8.12.4', licence: 'MIT', installScripts: [] };

describe('the check of dependencies', () => {
  it('takes what is good', () => {
    expect(findingsOf(good)).toEqual([]);
    expect(findingsOf({ ...good, name: 'anything', version: '0.0.1', licence: '(BSD-3-Clause OR GPL-2.0)' })).toEqual([]);
    expect(findingsOf({ ...good, name: 'lightningcss-linux-x64-gnu', licence: 'MPL-2.0' })).toEqual([]);
  });

  it.each([
    [{ ...good, version: '8.8.9' }, /below/],
    [{ ...good, name: 'protobufjs', version: '7.6.0' }, /below/],
    [{ ...good, name: 'left-pad', installScripts: ['postinstall'] }, /runs postinstall at install/],
    [{ ...good, name: 'left-pad', licence: 'GPL-3.0' }, /under GPL-3.0/],
    [{ ...good, name: 'left-pad', licence: '(MIT AND GPL-3.0)' }, /not on the list/],
    [{ ...good, name: 'left-pad', licence: '' }, /under no licence/],
  ])('finds %j', (installed, message) => {
    expect(findingsOf(installed).join()).toMatch(message);
  });

  it.each([
    ['22.22.2', true],
    ['22.22.1', false],
    ['24.14.0', false],
    ['24.21.0', true],
    ['26.0.0', true],
    ['23.11.0', false],
    ['20.20.2', false],
    ['24.14.1-rc.1', false],
  ])('knows each line of versions: %s %s', (version, wanted) => {
    expect(reaches(version, ['22.22.2', '24.14.1'])).toBe(wanted);
  });
});
