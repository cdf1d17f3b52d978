import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';

/** Upstreams that no HTTP server is: what they do is all that their name says. The path `/rst/8` names an HTTP/2 error code. */
export function oddUpstreams(): Readonly<Record<string, Server>> {
  return {
    garbage: bytes('this is no HTTP\r\n\r\n'),
    // Two responses that end too early, one by the end of the connection and one by silence.
    cut: bytes('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'),
    begun: open('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'),
    resets: resets(),
  };
}

function bytes(text: string): Server {
  return onRequest((socket) => socket.end(text));
}

function open(text: string): Server {
  return onRequest((socket) => socket.write(text));
}

function onRequest(answer: (socket: Socket) => void): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => answer(socket));
  });
}

/** `/rst/<code>`: before the headers; `/late`: INTERNAL_ERROR after them. */
function resets(): Server {
  const server = createHttp2Server();
  server.on('sessionError', () => {});
  server.on('stream', (stream, { ':path': path = '' }) => {
    const [, when, code] = path.split('/');
    stream.on('error', () => {}); // an error code is an error of the stream here too
    if (when === 'late') {
      stream.respond({ ':status': 200 });
      // `close` would end the response first, as if it were complete.
      stream.write('abc', () => stream.destroy(new Error('broken off')));
    } else stream.close(Number(code));
  });
  return server as unknown as Server;
}
