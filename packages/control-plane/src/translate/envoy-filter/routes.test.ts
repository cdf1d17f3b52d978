import { describe, expect, it } from 'vitest';
import { gatewayTable } from './routes.ts';

describe('the name of a gateway’s routes', () => {
  it.each([
    ['http.8080', { port: 8080, portName: '', gateway: '' }],
    ['https.443.https-a.edge.istio-system', { port: 443, portName: 'https-a', gateway: 'istio-system/edge' }],
    // Of a server with an address of its own.
    ['http.8080.10.9.9.2', { port: 0, portName: '', gateway: '' }],
    ['http.8080.::', { port: 0, portName: '', gateway: '' }],
    ['https.443.https-a.edge.istio-system.10.9.9.1', { port: 0, portName: '', gateway: '' }],
    ['https.443.https-a.edge.istio-system.::1', { port: 0, portName: '', gateway: '' }],
    // A port name with a dot.
    ['https.443.https.a.edge.istio-system', { port: 0, portName: '', gateway: '' }],
    ['80', { port: 0, portName: '', gateway: '' }],
  ])('%s', (name, expected) => {
    expect(gatewayTable(name)).toEqual(expected);
  });
});
