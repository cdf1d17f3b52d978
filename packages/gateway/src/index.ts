export { createGateway, Gateway, type GatewayAddress, type GatewayCloseOptions, type GatewayOptions } from './gateway.ts';
