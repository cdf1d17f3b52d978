// Reads of a DeltaDiscoveryResponse what a subscriber needs to answer it, without decoding its resources: 500 clients share a core.

/** `{ typeUrl, nonce, names, removed }`. */
export function readDelta(bytes) {
  const found = { typeUrl: '', nonce: '', names: [], removed: [] };
  fields(bytes, 0, bytes.length, (number, start, end) => {
    if (number === 4) found.typeUrl = bytes.latin1Slice(start, end);
    else if (number === 5) found.nonce = bytes.latin1Slice(start, end);
    else if (number === 6) found.removed.push(bytes.latin1Slice(start, end));
    else if (number === 2)
      fields(bytes, start, end, (inner, from, to) => {
        if (inner === 3) found.names.push(bytes.latin1Slice(from, to));
      });
  });
  return found;
}

/** Calls `visit` for each length-delimited field; others do not occur in what is read here. */
function fields(bytes, start, end, visit) {
  let at = start;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < end) {
    const tag = varint();
    if ((tag & 7) === 0) {
      varint();
      continue;
    }
    if ((tag & 7) !== 2) throw new Error(`unexpected wire type ${tag & 7}`);
    const length = varint();
    visit(tag >>> 3, at, at + length);
    at += length;
  }
}
