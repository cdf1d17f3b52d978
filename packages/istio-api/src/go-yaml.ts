import { type Document, isMap, isScalar, isSeq, Scalar, type ScalarTag, type Tags, visit } from 'yaml';

/*
 * Where the YAML of Kubernetes and istiod (sigs.k8s.io/yaml, Go) reads YAML 1.1 in another way than the letter of it.
 */

/** No base 60 (`22:22` is text), no dates (`2026-01-01` is text), and a number has a digit (`.` and `e5` are text). */
export function goTags(tags: Tags): Tags {
  return tags.flatMap((tag) => {
    if (typeof tag !== 'object' || !('test' in tag) || tag.test === undefined) return [tag];
    if (tag.format === 'TIME' || tag.tag === 'tag:yaml.org,2002:timestamp') return [];
    if (tag.tag !== 'tag:yaml.org,2002:float' || tag.test.source.includes('nan')) return [tag];
    return [withDigit(tag)];
  });
}

/** Asked for each document, of the library's few tags. */
const digitTags = new WeakMap<ScalarTag, ScalarTag>();

function withDigit(tag: ScalarTag): ScalarTag {
  let known = digitTags.get(tag);
  if (known === undefined) {
    known = { ...tag, test: new RegExp(`(?=^[-+]?\\.?[0-9])${tag.test?.source}`) };
    digitTags.set(tag, known);
  }
  return known;
}

/** Whether a text may have such a colon; asked once for all its documents. */
export function hasTrailingColons(text: string): boolean {
  return /:[\],]/.test(text);
}

/** In a list in brackets, a colon before `,` or `]` belongs to the text: `[2001:db8::]`. */
export function joinTrailingColons(document: Document.Parsed, text: string): void {
  visit(document, {
    Seq(_key, node) {
      if (!isSeq(node) || node.flow !== true) return;
      for (const [index, item] of node.items.entries()) {
        if (!isMap(item) || item.items.length !== 1 || !item.range || text[item.range[0]] === '{') continue;
        const { key, value } = item.items[0]!;
        if (!isScalar(key) || key.type !== 'PLAIN' || !isScalar(value) || value.source !== '' || !key.range || !value.range) continue;
        if (!/[\],]/.test(text.charAt(value.range[0]))) continue;
        const joined = new Scalar(text.slice(key.range[0], value.range[0]));
        joined.range = [key.range[0], value.range[0], value.range[0]];
        node.items[index] = joined;
      }
    },
  });
}
