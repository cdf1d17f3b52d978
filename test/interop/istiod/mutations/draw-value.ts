import type { Schema } from '@ripstop/istio-api';
import type { Random } from '../mesh/random.ts';

const TEXTS = ['a', 'reviews', 'a.example', '*.example', '10.0.0.1', '80', '*', '.', 'default', '/a', '', 'x/y', 'SIMPLE'];

/** A value that a schema's types allow; what else must hold of it is left to chance. */
export function drawValue(random: Random, schema: Schema, depth = 0): unknown {
  switch (schema.type) {
    case 'bool':
      return random.chance(0.5);
    case 'duration':
      return random.pick(['1s', '500ms', '0s', '1h', '10us']);
    case 'number':
      return random.pick([0, 1, 10, 80, 100, 443, schema.min ?? 2, schema.max ?? 3]);
    case 'string':
      return schema.values === undefined ? random.pick(TEXTS) : random.pick(schema.values);
    case 'list':
      return random.several(0, 2, () => drawValue(random, schema.items, depth + 1));
    case 'map':
      return Object.fromEntries(
        random.several(0, 2, (index) => [random.pick(['a', 'b', '80', 'x.y/z', `k${index}`]), drawValue(random, schema.items, depth + 1)]),
      );
    case 'object': {
      const names = Object.keys(schema.fields);
      const chosen = new Set([...schema.required, ...(depth > 3 ? [] : random.some(names, 0, 2))]);
      return Object.fromEntries([...chosen].map((name) => [name, drawValue(random, schema.fields[name]!, depth + 1)]));
    }
    default:
      return random.pick<unknown>([{}, 'a', 5]);
  }
}
