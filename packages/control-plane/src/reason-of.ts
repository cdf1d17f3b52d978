/** What an error says, for a message that names what was tried. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
