const encoder = new TextEncoder();

/** The bytes that Envoy sees of a text: Node hands header values over as one character per byte; anything beyond is UTF-8. */
export function hashedBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0xff) return encoder.encode(text);
    bytes[index] = code;
  }
  return bytes;
}
