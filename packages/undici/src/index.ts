export * from './interceptor.ts';
export * from './mesh-dispatcher.ts';
export * from './mesh-fetch.ts';
export type { OpenSocket } from './mtls-connector.ts';
export { type AppHeaders, OutboundHead } from './outbound-head.ts';
export { RequestError } from './request-error.ts';
export { ConnectError } from './reset-reason.ts';
