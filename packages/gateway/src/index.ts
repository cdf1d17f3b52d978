/** A mesh of role `router` as a process: listeners of `server` in, the dispatcher of `undici` out, one exchange through both. */

export { createGateway, Gateway, type GatewayAddress, type GatewayCloseOptions, type GatewayOptions } from './gateway.ts';
