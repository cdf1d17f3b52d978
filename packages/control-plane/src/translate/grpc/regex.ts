/** A regex whose alternatives stay together: grpc-js-xds compiles `^a|b$` where Envoy matches `a` or `b` whole. */
export function groupedRegex(regex: string): string {
  return hasAlternatives(regex) ? `(?:${regex})` : regex;
}

function hasAlternatives(regex: string): boolean {
  let depth = 0;
  let inClass = false;
  for (let index = 0; index < regex.length; index++) {
    const character = regex[index];
    if (character === '\\') index++;
    else if (inClass) inClass = character !== ']';
    else if (character === '[') {
      inClass = true;
      if (regex[index + 1] === '^') index++;
      if (regex[index + 1] === ']') index++; // The first one in a class stands for itself.
    } else if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === '|' && depth === 0) return true;
  }
  return false;
}

export function escapeRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}
