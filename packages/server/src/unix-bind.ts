import { lstat, unlink } from 'node:fs/promises';
import type { AddressInfo, ListenOptions, Server } from 'node:net';
import { connect } from 'node:net';

/** A server that can be bound, as node:http and node:net have it. */
type Bindable = Pick<Server, 'listen' | 'once' | 'off'>;

/**
 * Binds a server to a Unix socket; `@name` is an abstract one. A socket that a process left behind is taken over (as Envoy does); one that
 * somebody listens at is not. The address that is answered has the path, and port 0.
 */
export async function bindPath(server: Bindable, path: string): Promise<AddressInfo> {
  const own = path.startsWith('@') ? `\0${path.slice(1)}` : path;
  try {
    await listen(server, { path: own });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE' || own !== path || !(await isLeftBehind(path)))
      throw failure(path, cause as NodeJS.ErrnoException);
    await unlink(path);
    await listen(server, { path }).catch((again: NodeJS.ErrnoException) => Promise.reject(failure(path, again)));
  }
  return { address: path, family: 'unix', port: 0 };
}

function listen(server: Bindable, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A socket that nobody listens at. One that may not be asked, or is too busy to answer, is somebody's; another file is no socket. */
async function isLeftBehind(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'));
  });
}

function failure(path: string, cause: NodeJS.ErrnoException): Error {
  const why = cause.code === 'EADDRINUSE' ? 'something else listens there, or it is no socket; name another path' : cause.message;
  return new Error(`cannot listen on unix://${path}: ${why}`, { cause });
}
