/** Lower case as Envoy has it: A to Z alone. Other letters stay, so that no two different texts of a policy become one. */
export function lowerCase(text: string): string {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 127) return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  }
  return text.toLowerCase();
}
