import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** A plain HTTP request from outside the mesh, with a Host of one's choice (fetch would not let us). */
export function fetchHost(url: string, host: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent, headers: { ...headers, host } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const init = new Headers();
        for (let index = 0; index < answer.rawHeaders.length; index += 2)
          init.append(answer.rawHeaders[index]!, answer.rawHeaders[index + 1]!);
        const body = Buffer.concat(chunks);
        resolve(new Response(body.length === 0 ? null : body, { status: answer.statusCode ?? 500, headers: init }));
      });
    });
    call.on('error', reject);
    call.end();
  });
}

/** Whether somebody listens there. */
export function accepts(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => finish(true));
    socket.on('error', () => finish(false));
  });
}

/** Sends a plaintext HTTP request on a raw socket; answers what came back: `HTTP/1.1 200`, `closed`, … */
export function rawHttp(address: string, timeoutMs = 2000): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    const finish = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(timeoutMs, () => finish('no answer'));
    socket.on('connect', () => socket.write(`GET /whoami HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`));
    socket.on('data', (data) => finish(data.toString('latin1').slice(0, 12)));
    socket.on('error', () => finish('closed'));
    socket.on('close', () => finish('closed'));
  });
}

/** Shakes hands as a stranger (no client certificate) and reads the server's SPIFFE id. */
export function rawTls(address: string): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    let san = '';
    // The handshake shows the server's certificate before the server misses ours; trusting nobody, we only look.
    const socket = tlsConnect({
      host,
      port: Number(port),
      rejectUnauthorized: false,
      ALPNProtocols: ['istio-http/1.1', 'istio', 'http/1.1'],
    });
    socket.on('secureConnect', () => {
      san = socket.getPeerX509Certificate()?.subjectAltName ?? '';
      socket.destroy();
    });
    socket.on('error', () => resolve(san === '' ? 'no TLS' : san));
    socket.on('close', () => resolve(san === '' ? 'no TLS' : san));
  });
}
