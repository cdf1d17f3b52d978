import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { BodyTee, isReplayable } from './request-body.ts';

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('request bodies', () => {
  it.each([
    ['nothing', undefined, true],
    ['a string', 'hello', true],
    ['a Buffer', Buffer.from('x'), true],
    ['a Blob', new Blob(['x']), true],
    ['a stream', Readable.from(['x']), false],
  ])('knows whether %s can be sent twice', (_name, body, expected) => {
    expect(isReplayable(body)).toBe(expected);
  });

  it('replays a stream from its start, also to a reader that comes while another one is half through', async () => {
    const tee = new BodyTee(Readable.from(['ab', 'cd', 'ef']), 100);
    const first = tee.read();
    expect(Buffer.from((await first.next()).value!).toString()).toBe('ab');
    const second = text(tee.read());
    const rest = text(first);
    expect(await second).toBe('abcdef');
    expect(await rest).toBe('cdef');
    expect(tee.replayable).toBe(true);
  });

  it('gives the whole body to the first reader over the limit, allows no replay and breaks a mirror off', async () => {
    const tee = new BodyTee(Readable.from(['aaaa', 'bbbb', 'cccc', 'dddd']), 6);
    expect(await text(tee.read())).toBe('aaaabbbbccccdddd');
    expect(tee.replayable).toBe(false);
    await expect(text(new BodyTee(Readable.from(['aaaa', 'bbbb', 'cccc']), 6).read(true))).rejects.toThrow('not mirrored');
  });

  it("hands on the source's own error and does not replay after it", async () => {
    const tee = new BodyTee(
      (async function* () {
        yield 'a';
        throw new Error('disk gone');
      })(),
      100,
    );
    await expect(text(tee.read())).rejects.toThrow('disk gone');
    expect(tee.failure?.message).toBe('disk gone');
    expect(tee.replayable).toBe(false);
  });
});
