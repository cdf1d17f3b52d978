import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { nodeVersionProblem } from './node-version.ts';

it.each([
  ['20.20.2', false],
  ['22.18.0', false],
  ['22.19.0', true],
  ['24.0.0', true],
  ['26.1.0', true],
])('the command on Node %s runs: %s', (version, runs) => {
  expect(nodeVersionProblem(version) === undefined).toBe(runs);
});

it('says which version it is, which it must be, and what to do', () => {
  expect(nodeVersionProblem('20.1.0')).toBe(
    'this is Node 20.1.0; Ripstop needs 22.19 or later: install a newer Node, or put it first in PATH',
  );
});

it('asks for what the package says', () => {
  const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { engines: { node: string } };
  const oldest = engines.node.replace('>=', '');
  expect(nodeVersionProblem(`${oldest}.0`)).toBeUndefined();
});
