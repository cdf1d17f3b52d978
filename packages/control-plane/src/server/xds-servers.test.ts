import { connect } from 'node:net';
import { expect, it } from 'vitest';
import type { AdsService } from '../ads/ads-service.ts';
import { XdsServers, type XdsServersOptions } from './xds-servers.ts';

it('who connects is let in when the streams that are served leave room for one', async () => {
  const asked = Promise.withResolvers<boolean>();
  const ads: Pick<AdsService, 'addTo' | 'drain' | 'hasRoom'> = {
    addTo: () => {},
    drain: async () => {},
    get hasRoom() {
      asked.resolve(true);
      return true;
    },
  };
  const load = { addTo: () => {} };
  const servers = new XdsServers({ ads, load } as unknown as XdsServersOptions);
  const port = Number((await servers.servePlain('127.0.0.1:0')).split(':').at(-1));
  const client = connect(port, '127.0.0.1');
  client.on('error', () => {});
  client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  await expect(asked.promise).resolves.toBe(true);
  client.destroy();
  await servers.close(0);
});
