import type { HeaderWrite } from './verdict.ts';

interface Head {
  header(name: string): string | undefined;
  setHeader(name: string, value: string): void;
  appendHeader(name: string, value: string): void;
  removeHeader(name: string): void;
}

/** In order; see {@link HeaderWrite}. */
export function applyWrites(head: Head, writes: readonly HeaderWrite[]): void {
  for (const { how, name, value } of writes) {
    const before = head.header(name);
    switch (how) {
      case 'set':
        head.setHeader(name, value);
        break;
      case 'add':
        if (before === undefined) head.setHeader(name, value);
        else head.appendHeader(name, value);
        break;
      case 'join':
        if (before !== undefined) head.setHeader(name, `${before},${value}`);
        break;
      case 'if-absent':
        if (before === undefined) head.setHeader(name, value);
        break;
      case 'if-present':
        if (before !== undefined) head.setHeader(name, value);
    }
  }
}

/** Neither host nor a pseudo header: a request without them would be none. */
export function removeHeaders(head: Head, names: readonly string[]): void {
  for (const name of names) if (name !== 'host' && !name.startsWith(':')) head.removeHeader(name);
}
