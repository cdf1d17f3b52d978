import type grpc from '@grpc/grpc-js';
import type { RequestHead } from '@ripstop/core';
import { metadataLines, metadataText, metadataValue } from './metadata-text.ts';

/**
 * A call's head over its Metadata, which is also what is sent: nothing is copied per attempt. The headers that grpc-js writes itself
 * when a stream starts (user-agent, grpc-timeout, encodings) are not there yet when routes look at a call that the app makes.
 */
export class CallHead implements RequestHead {
  readonly scheme: 'http' | 'https';
  readonly metadata: grpc.Metadata;
  readonly originalDestination: string;
  authority: string;
  method = 'POST';
  /** `/package.Service/Method`. */
  path: string;

  constructor(scheme: 'http' | 'https', authority: string, path: string, metadata: grpc.Metadata, originalDestination: string = authority) {
    this.scheme = scheme;
    this.authority = authority;
    this.originalDestination = originalDestination;
    this.path = path;
    this.metadata = metadata;
  }

  header(name: string): string | undefined {
    return metadataText(this.metadata, name) ?? this.#implied(name);
  }

  headerLines(name: string): readonly string[] {
    const lines = metadataLines(this.metadata, name);
    if (lines.length > 0) return lines;
    const implied = this.#implied(name);
    return implied === undefined ? lines : [implied];
  }

  setHeader(name: string, value: string): void {
    if (name === 'host') this.authority = value;
    else this.metadata.set(name, metadataValue(name, value));
  }

  appendHeader(name: string, value: string): void {
    this.metadata.add(name, metadataValue(name, value));
  }

  removeHeader(name: string): void {
    this.metadata.remove(name);
  }

  pairs(): string[] {
    const pairs = ['content-type', 'application/grpc', 'te', 'trailers'];
    for (const name of Object.keys(this.metadata.getMap())) for (const line of metadataLines(this.metadata, name)) pairs.push(name, line);
    return pairs;
  }

  /** What every gRPC request carries and Metadata does not. */
  #implied(name: string): string | undefined {
    switch (name) {
      case ':authority':
      case 'host':
        return this.authority;
      case ':path':
        return this.path;
      case ':method':
        return this.method;
      case ':scheme':
        return this.scheme;
      case 'content-type':
        return 'application/grpc';
      case 'te':
        return 'trailers';
      default:
        return undefined;
    }
  }
}
