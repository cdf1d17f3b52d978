/** Mutants that nobody could notice, by their name in the report, and why. The gate fails when one is noticed or is no more. */
export const EQUIVALENT: ReadonlyMap<string, string> = new Map([]);
