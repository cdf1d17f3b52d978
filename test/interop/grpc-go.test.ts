import { inject } from 'vitest';
import { describeClient } from './proxyless/client-suite.ts';

const { grpcGo } = inject('peers');
if ('missing' in grpcGo) console.log(`skipped: gRPC-Go: ${grpcGo.missing}`);

describeClient('a stock gRPC-Go client', 'path' in grpcGo ? { command: grpcGo.path, args: [] } : undefined);
