export type { Dialect, ProxyNode } from './model/proxy-node.ts';
export { type NodeMessage, proxyNodeOf } from './model/proxy-node-of.ts';
export type { WorkloadInstance, WorkloadPort } from './model/workload.ts';
export { PushContext, type PushInput } from './push/push-context.ts';
export type { XdsResource } from './translate/resource.ts';
export { NAMED_TYPES, PUSH_ORDER, translate } from './translate/translate.ts';
