import { PassThrough } from 'node:stream';
import type grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { messageWriter } from './message-writer.ts';

type Call = grpc.ServerDuplexStream<unknown, Buffer>;

/** A call whose stream can or cannot be reached, and what is written to either. */
function callOf(stream: PassThrough | undefined) {
  const messages: Buffer[] = [];
  const opened: unknown[] = [];
  const call = {
    call: stream === undefined ? {} : { stream: Object.assign(stream, { respond: () => {} }) },
    writableEnded: false,
    sendMetadata: (metadata: unknown) => opened.push(metadata),
    write: (message: Buffer, done: () => void) => {
      messages.push(message);
      done();
    },
  };
  return { call: call as unknown as Call, messages, opened };
}

/** With room for the prefix. */
const headOf = (): Buffer => Buffer.from('.....head');
const body = Buffer.from('body');

describe('a message', () => {
  it('goes to the stream under the call in its parts, behind compression flag and length', async () => {
    const stream = new PassThrough();
    const { call, messages, opened } = callOf(stream);
    const write = messageWriter(call);
    await new Promise<void>((done) => write({ head: headOf(), body }, done));
    await new Promise<void>((done) => write({ head: headOf(), body: undefined }, done));
    expect(stream.read()).toEqual(Buffer.from('\0\0\0\0\x08headbody\0\0\0\0\x04head', 'latin1'));
    expect(messages).toEqual([]);
    expect(opened).toHaveLength(1);
  });

  it('goes through grpc-js where the stream cannot be reached', () => {
    const { call, messages } = callOf(undefined);
    let done = 0;
    const write = messageWriter(call);
    write({ head: headOf(), body }, () => done++);
    write({ head: headOf(), body: undefined }, () => done++);
    expect(messages).toEqual([Buffer.from('headbody'), Buffer.from('head')]);
    expect(done).toBe(2);
  });

  it('for a client that is gone is written nowhere, and done with', () => {
    const stream = new PassThrough();
    const { call } = callOf(stream);
    const write = messageWriter(call);
    stream.destroy();
    let done = 0;
    write({ head: headOf(), body }, () => done++);
    expect(done).toBe(1);
    expect(stream.read()).toBeNull();
  });
});
