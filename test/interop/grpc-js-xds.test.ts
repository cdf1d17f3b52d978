import { describeClient } from './proxyless/client-suite.ts';
import { GRPC_JS } from './proxyless/program.ts';

describeClient('a stock grpc-js-xds client', GRPC_JS);
