import type { Scenario } from './scenario.ts';

const hosts = [
  { lb: { v: '1', env: 'prod' } },
  { lb: { v: '2', env: 'prod' } },
  { lb: { v: '2', env: 'test' } },
  { lb: { v: '3', env: 'prod' }, health: 'UNHEALTHY' },
  { lb: { v: ['4', '5'], env: 'test' } },
  {},
] as const;
const v = (value: unknown) => ({ name: `v ${JSON.stringify(value)}`, match: { v: value } });
const vEnv = (value: string, env: string) => ({ name: `v ${value}, env ${env}`, match: { env, v: value } });
const anything = { name: 'anything' };
const other = { name: 'other keys', match: { color: 'red' } };

function subsets(name: string, lb_subset_config: Readonly<Record<string, unknown>>, calls: Scenario['calls']): Scenario {
  return { name: `subsets: ${name}`, cluster: { lb_subset_config, common_lb_config: { healthy_panic_threshold: {} } }, hosts, calls };
}

const byVersion = [{ keys: ['v'] }];

/** lb_subset_config. */
export const SUBSETS: readonly Scenario[] = [
  subsets('no fallback', { subset_selectors: byVersion }, [
    [v('1'), 'a'],
    [v('2'), 'bc'],
    [v('3'), '-'],
    [v('4'), '-'],
    [v(['4', '5']), 'e'],
    [v('9'), '-'],
    [v(1), '-'],
    [anything, '-'],
    [other, '-'],
    [vEnv('2', 'prod'), '-'],
  ]),
  subsets('any endpoint', { fallback_policy: 'ANY_ENDPOINT', subset_selectors: byVersion }, [
    [v('1'), 'a'],
    [v('3'), '-'],
    [v('9'), 'abcef'],
    [anything, 'abcef'],
    [vEnv('2', 'prod'), 'abcef'],
  ]),
  subsets('default subset', { fallback_policy: 'DEFAULT_SUBSET', default_subset: { env: 'test' }, subset_selectors: byVersion }, [
    [v('1'), 'a'],
    [v('9'), 'ce'],
    [anything, 'ce'],
  ]),
  subsets(
    'a default subset that nobody is in',
    { fallback_policy: 'DEFAULT_SUBSET', default_subset: { env: 'moon' }, subset_selectors: byVersion },
    [
      [v('2'), 'bc'],
      [anything, '-'],
    ],
  ),
  subsets(
    'panic_mode_any',
    { fallback_policy: 'DEFAULT_SUBSET', default_subset: { env: 'moon' }, panic_mode_any: true, subset_selectors: byVersion },
    [
      [v('2'), 'bc'],
      [v('3'), '-'],
      [v('9'), 'abcef'],
      [anything, 'abcef'],
    ],
  ),
  subsets('list_as_any', { list_as_any: true, subset_selectors: byVersion }, [
    [v('4'), 'e'],
    [v('5'), 'e'],
    [v(['4', '5']), '-'],
  ]),
  subsets('two selectors', { fallback_policy: 'ANY_ENDPOINT', subset_selectors: [{ keys: ['env', 'v'] }, { keys: ['env'] }] }, [
    [vEnv('2', 'test'), 'c'],
    [vEnv('1', 'test'), 'abcef'],
    [{ name: 'env', match: { env: 'prod' } }, 'ab'],
    [v('2'), 'abcef'],
  ]),
  subsets(
    'fallbacks of selectors',
    {
      fallback_policy: 'DEFAULT_SUBSET',
      default_subset: { env: 'test' },
      subset_selectors: [
        { keys: ['v'], fallback_policy: 'NO_FALLBACK' },
        { keys: ['env'], fallback_policy: 'ANY_ENDPOINT' },
        { keys: ['color'], fallback_policy: 'DEFAULT_SUBSET' },
        { keys: ['env', 'v'], fallback_policy: 'KEYS_SUBSET', fallback_keys_subset: ['env'] },
      ],
    },
    [
      [v('9'), '-'],
      [{ name: 'env moon', match: { env: 'moon' } }, 'abcef'],
      [other, 'ce'],
      [vEnv('2', 'test'), 'c'],
      [vEnv('9', 'prod'), 'ab'],
      [vEnv('9', 'moon'), 'abcef'],
      [anything, 'ce'],
      [{ name: 'no selector', match: { size: '1' } }, 'ce'],
    ],
  ),
  subsets('single_host_per_subset', { subset_selectors: [{ keys: ['v'], single_host_per_subset: true }] }, [
    [v('1'), 'a'],
    [v('3'), 'd'],
    [v('9'), '-'],
  ]),
  subsets(
    'a list of fallbacks',
    {
      fallback_policy: 'NO_FALLBACK',
      metadata_fallback_policy: 'FALLBACK_LIST',
      subset_selectors: [{ keys: ['v'] }, { keys: ['env', 'v'] }],
    },
    [
      [{ name: 'second of two', match: { fallback_list: [{ v: '9' }, { v: '1' }] } }, 'a'],
      [{ name: 'merged', match: { env: 'prod', fallback_list: [{ v: '9' }, { v: '2' }] } }, 'b'],
      [{ name: 'none', match: { fallback_list: [{ v: '8' }, { v: '9' }] } }, '-'],
    ],
  ),
];
