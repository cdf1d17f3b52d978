import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

const TYPE_A = 1;
const TTL_SECONDS = 60;
const HEADER_BYTES = 12;

/** A name server for an Envoy: every name has one IPv4 address, as `addressOf` says, and no other. */
export class Resolver implements AsyncDisposable {
  readonly port: number;
  private readonly socket: Socket;

  static async start(addressOf: (name: string) => string): Promise<Resolver> {
    const socket = createSocket('udp4');
    socket.on('message', (query, { address, port }) => socket.send(answerTo(query, addressOf), port, address));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new Resolver(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    this.port = (socket.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(resolve));
  }
}

function answerTo(query: Buffer, addressOf: (name: string) => string): Buffer {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(HEADER_BYTES, at + 5);
  const found = query.readUInt16BE(at + 1) === TYPE_A;
  const head = Buffer.alloc(HEADER_BYTES);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x81_80, 2); // a response, recursion as asked
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(found ? 1 : 0, 6);
  if (!found) return Buffer.concat([head, question]);
  const record = Buffer.alloc(16);
  record.writeUInt16BE(0xc0_0c, 0); // the name of the question
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(TTL_SECONDS, 6);
  record.writeUInt16BE(4, 10);
  for (const [index, part] of addressOf(labels.join('.')).split('.').entries()) record[12 + index] = Number(part);
  return Buffer.concat([head, question, record]);
}
