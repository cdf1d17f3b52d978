import { describe, expect, it } from 'vitest';
import { errorLine } from './error-line.ts';

describe('an error on the terminal', () => {
  it('is one line with its reasons, and no reason twice', () => {
    const inner = new Error('listen EADDRINUSE 127.0.0.1:15010');
    const middle = new Error('No address added errors: [listen EADDRINUSE 127.0.0.1:15010]', { cause: inner });
    const outer = new Error('cannot listen\n  on 127.0.0.1:15010', { cause: middle });
    expect(errorLine(outer, false)).toBe('cannot listen on 127.0.0.1:15010: No address added errors: [listen EADDRINUSE 127.0.0.1:15010]');
  });

  it('has its stacks behind it when they are asked for', () => {
    const text = errorLine(new Error('outer', { cause: new Error('inner') }), true);
    expect(text).toMatch(/^outer: inner\nError: outer\n {4}at /);
    expect(text).toMatch(/\ncaused by: Error: inner\n {4}at /);
  });

  it('is said for thrown things that are no errors', () => {
    expect(errorLine('plain text', false)).toBe('plain text');
    expect(errorLine(new Error(''), false)).toBe('failed without a message');
  });
});
