import { selector, text2048 } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import { ignored, map, nullable, object, smallCount, text } from './schema.ts';

export const proxyConfig: Kind = {
  ...NETWORKING,
  versions: ['v1beta1'],
  kind: 'ProxyConfig',
  status: 'ignored',
  note: 'image, concurrency and environmentVariables are for the start of a proxy, and there is none',
  spec: object({
    selector: ignored(selector),
    concurrency: ignored(nullable(smallCount), 'a process has one event loop: run more of them'),
    environmentVariables: ignored(map(text2048), 'nothing is injected: they are for the start of the process'),
    image: ignored(object({ imageType: text }), 'nothing is injected'),
  }),
};
