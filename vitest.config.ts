import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ['development'] },
  ssr: { resolve: { conditions: ['development'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts', 'examples/*/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', ...(process.env.RIPSTOP_INTEROP === '1' ? [] : ['test/interop/**'])],
    globalSetup: process.env.RIPSTOP_INTEROP === '1' ? ['test/interop/global-setup.ts'] : [],
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});

export default config;
