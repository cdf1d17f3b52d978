/** The way out over HTTP: one undici Dispatcher that walks a request through `core`, with connections of its own (mTLS) per endpoint. */

export * from './interceptor.ts';
export * from './mesh-dispatcher.ts';
export * from './mesh-fetch.ts';
export type { OpenSocket } from './mtls-connector.ts';
export { type AppHeaders, OutboundHead } from './outbound-head.ts';
export { RequestError } from './request-error.ts';
export { ConnectError } from './reset-reason.ts';
