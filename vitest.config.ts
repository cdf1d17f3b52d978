import { defineConfig, type ViteUserConfig } from 'vitest/config';

const interop = process.env.RIPSTOP_INTEROP === '1';

const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ['development'] },
  ssr: { resolve: { conditions: ['development'] } },
  test: {
    // What needs peers runs by itself, so that a name on the command line chooses among the one or the other.
    include: interop ? ['test/interop/**/*.test.ts'] : ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts', 'examples/*/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', ...(interop ? [] : ['test/interop/**'])],
    globalSetup: interop ? ['test/interop/global-setup.ts'] : [],
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});

export default config;
