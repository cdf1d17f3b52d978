/** An error as one line: what went wrong, then why. With `debug` the stack follows. */
export function errorLine(error: unknown, debug: boolean): string {
  const reasons: string[] = [];
  for (
    let current: unknown = error;
    current !== undefined && reasons.length < 5;
    current = current instanceof Error ? current.cause : undefined
  ) {
    const message = (current instanceof Error ? current.message : String(current)).replace(/\s*\n\s*/g, ' ').trim();
    // Wrappers often quote what they wrap; saying it once is enough.
    if (message !== '' && !reasons.some((reason) => reason.includes(message))) reasons.push(message);
  }
  const line = reasons.length === 0 ? 'failed without a message' : reasons.join(': ');
  return debug && error instanceof Error ? `${line}\n${stacks(error)}` : `${line}`;
}

function stacks(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by: ${stacks(error.cause)}` : own;
}
