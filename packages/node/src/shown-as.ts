import { inspect } from 'node:util';

/** What console.log shows of an object, instead of everything that the clients inside hold, such as a join token. */
export function showAs(object: object, text: () => string): void {
  Object.defineProperty(object, inspect.custom, { value: text });
}
