import { InvalidArgumentError } from 'commander';

/** Checks `host:port` for an option; port 0 takes any free one. */
export function parseAddress(text: string): string {
  const match = /^(\[[\da-fA-F:.]+\]|[^:\s]+):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[2]) > 65_535)
    throw new InvalidArgumentError('Give host:port, for example 127.0.0.1:15010; port 0 takes any free one.');
  return text;
}
