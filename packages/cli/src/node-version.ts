/** The oldest Node that Ripstop runs on, as `engines` of every package says; older ones lack parts of the library that it uses. */
const OLDEST = [22, 19] as const;

/** Why the command cannot run on this version of Node (`process.versions.node`). */
export function nodeVersionProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `this is Node ${version}; Ripstop needs ${OLDEST.join('.')} or later: install a newer Node, or put it first in PATH`;
}
