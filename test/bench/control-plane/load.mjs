// How long a folder takes until the first client can be served.
import { BenchProcess } from '../process.mjs';
import { meshFolder } from './folder.mjs';
import { manyDocuments } from './mesh-yaml.mjs';

export async function loadDocuments(count, seed) {
  using folder = meshFolder(manyDocuments(count, seed));
  const server = new BenchProcess('./control-plane/server.mjs', { core: 0 });
  try {
    const { ms, documents, findings } = await server.ask('start', { source: folder.path });
    return { documents, findings, ms: Math.round(ms) };
  } finally {
    server.stop();
  }
}
