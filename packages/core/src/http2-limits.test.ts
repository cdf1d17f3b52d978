import { describe, expect, it } from 'vitest';
import { http2Settings } from './http2-limits.ts';

const limits = (maxConcurrentStreams?: number, streamWindowBytes?: number) => ({
  maxConcurrentStreams,
  streamWindowBytes,
  connectionWindowBytes: undefined,
});

describe('what HTTP/2 callers are told', () => {
  it.each([
    ["Envoy's number of streams and RFC 9113's window by default", undefined, undefined, [1_024, 65_535]],
    ['the defaults where neither names one', {}, limits(), [1_024, 65_535]],
    ["the mesh's numbers, also larger ones than the defaults", {}, limits(5_000, 100_000), [5_000, 100_000]],
    ["the app's numbers, also larger ones than the defaults", { maxConcurrentStreams: 5_000, initialWindowSize: 9 }, limits(), [5_000, 9]],
    ["the mesh's where they are smaller", { maxConcurrentStreams: 7, initialWindowSize: 70_000 }, limits(3, 66_000), [3, 66_000]],
    ["the app's where they are smaller", { maxConcurrentStreams: 0, initialWindowSize: 0 }, limits(3, 66_000), [0, 0]],
  ])('is %s', (_what, own, ofMesh, [streams, window]) => {
    expect(http2Settings(own, ofMesh)).toEqual({ maxConcurrentStreams: streams, initialWindowSize: window });
  });
});
