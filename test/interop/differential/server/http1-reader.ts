import type { Reply } from '../../../simulation/observation.ts';

/** Reads one response of HTTP/1.1 from the bytes of a connection. */
export class Http1Reader {
  private readonly method: string;
  private text = '';

  constructor(method: string) {
    this.method = method;
  }

  /** Whether the response is whole now. */
  take(bytes: Buffer): boolean {
    this.text += bytes.toString('latin1');
    const { status, headers, rest } = this.split();
    if (status === 0) return false;
    if (this.method === 'HEAD' || status === 204 || status === 304) return true;
    if (headers['transfer-encoding'] !== undefined) return /(^|\r\n)0\r\n\r\n$/.test(rest);
    return headers['content-length'] !== undefined && rest.length >= Number(headers['content-length']);
  }

  reply(): Pick<Reply, 'status' | 'headers' | 'body'> {
    const { status, headers, rest } = this.split();
    return { status, headers, body: headers['transfer-encoding'] === undefined ? rest : unchunked(rest) };
  }

  private split(): { status: number; headers: Record<string, string>; rest: string } {
    const text = this.text.replace(/^(HTTP\/1\.1 10\d [^\r]*\r\n([^\r]+\r\n)*\r\n)+/, '');
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) return { status: 0, headers: {}, rest: '' };
    const [first = '', ...lines] = text.slice(0, end).split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const at = line.indexOf(':');
      const name = line.slice(0, at).toLowerCase();
      const value = line.slice(at + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
    }
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0), headers, rest: text.slice(end + 4) };
  }
}

function unchunked(text: string): string {
  let rest = text;
  let body = '';
  for (;;) {
    const end = rest.indexOf('\r\n');
    const size = Number.parseInt(rest.slice(0, end), 16);
    if (end === -1 || !(size > 0)) return body;
    body += rest.slice(end + 2, end + 2 + size);
    rest = rest.slice(end + 4 + size);
  }
}
