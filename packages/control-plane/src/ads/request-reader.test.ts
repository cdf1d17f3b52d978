import { DeltaDiscoveryRequest, ENDPOINT_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { RequestReader } from './request-reader.ts';

const LONG = 'x'.repeat(100);

function bytesOf(prefix: string, count: number): Buffer {
  const resourceNamesSubscribe = Array.from({ length: count }, (_, at) => `${prefix}-${at}-${LONG}`);
  return Buffer.from(
    DeltaDiscoveryRequest.encode(DeltaDiscoveryRequest.fromPartial({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe })).finish(),
  );
}

function counting(): { readonly reader: RequestReader<DeltaDiscoveryRequest>; readonly decoded: () => number } {
  let decoded = 0;
  const reader = new RequestReader((bytes) => {
    decoded++;
    return DeltaDiscoveryRequest.decode(bytes);
  });
  return { reader, decoded: () => decoded };
}

describe('requests of clients', () => {
  it('are decoded once where many names are asked for in the same bytes', () => {
    const { reader, decoded } = counting();
    const first = reader.read(bytesOf('a', 200));
    expect(reader.read(bytesOf('a', 200))).toBe(first);
    expect(decoded()).toBe(1);
    expect(first.resourceNamesSubscribe).toHaveLength(200);
  });

  it('are told apart by every byte, and not by their length', () => {
    const { reader } = counting();
    const [first, second] = [reader.read(bytesOf('a', 200)), reader.read(bytesOf('b', 200))];
    expect(second.resourceNamesSubscribe[0]).toMatch(/^b-0-/);
    expect(reader.read(bytesOf('a', 200))).toBe(first);
  });

  it('do not change with the buffer that they came in, which the transport uses again', () => {
    const { reader } = counting();
    const bytes = bytesOf('a', 200);
    const first = reader.read(bytes);
    bytes.fill(0, 1000);
    expect(reader.read(bytesOf('a', 200))).toBe(first);
    expect(first.resourceNamesSubscribe.at(-1)).toMatch(/^a-199-/);
  });

  it('are decoded each time where they are small, and forgotten when many others came', () => {
    const { reader, decoded } = counting();
    for (let time = 0; time < 3; time++) reader.read(bytesOf('a', 3));
    expect(decoded()).toBe(3);
    for (let at = 0; at < 9; at++) reader.read(bytesOf(`other${at}`, 200));
    expect(decoded()).toBe(12);
    reader.read(bytesOf('other0', 200));
    expect(decoded()).toBe(13);
    reader.read(bytesOf('other8', 200));
    expect(decoded()).toBe(13);
  });

  it('that cannot be read are refused each time', () => {
    const { reader } = counting();
    const broken = bytesOf('a', 200).subarray(0, -5);
    expect(() => reader.read(broken)).toThrow();
    expect(() => reader.read(broken)).toThrow();
  });
});
