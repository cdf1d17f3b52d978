import { getHeapSnapshot } from 'node:v8';

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[]];
      readonly edge_types: readonly [readonly string[]];
    };
  };
  readonly nodes: readonly number[];
  readonly edges: readonly number[];
  readonly strings: readonly string[];
}

/** Type, name or index, node that it leads to. */
const EDGE_FIELDS = 3;

/** The strings of this process's heap at one time: what a heap dump would show. */
export class HeapStrings {
  private readonly heap: Snapshot;
  private readonly width: number;
  /** Where the edges of a node begin, by node. */
  private readonly firstEdge = new Map<number, number>();
  private readonly strings: readonly number[];

  private constructor(heap: Snapshot) {
    this.heap = heap;
    this.width = heap.snapshot.meta.node_fields.length;
    let edge = 0;
    for (let node = 0; node < heap.nodes.length; node += this.width) {
      this.firstEdge.set(node, edge);
      edge += this.field(node, 'edge_count') * EDGE_FIELDS;
    }
    this.strings = [...this.firstEdge.keys()].filter((node) => this.isString(node));
  }

  static async now(): Promise<HeapStrings> {
    const chunks: Buffer[] = [];
    for await (const chunk of getHeapSnapshot()) chunks.push(chunk as Buffer);
    return new HeapStrings(JSON.parse(Buffer.concat(chunks).toString()) as Snapshot);
  }

  /** What refers to a string that holds one of the texts, as `Object.privateKeyPem`. A slice of such a string counts as one. */
  holdersOf(texts: readonly string[]): readonly string[] {
    const wanted = new Set(this.strings.filter((node) => texts.some((text) => this.textOf(node).includes(text))));
    const { edges } = this.heap;
    const holders: string[] = [];
    for (const [node, first] of this.firstEdge) {
      const end = first + this.field(node, 'edge_count') * EDGE_FIELDS;
      for (let edge = first; edge < end; edge += EDGE_FIELDS)
        if (wanted.has(edges[edge + 2]!) && !this.isString(node)) holders.push(`${this.nameOf(node).slice(0, 60)}.${this.edgeName(edge)}`);
    }
    return holders;
  }

  /** Strings that V8 has not put together yet have two parts, slices the whole that they are cut from. */
  private textOf(node: number): string {
    const first = this.firstEdge.get(node)!;
    const edges = Array.from({ length: this.field(node, 'edge_count') }, (_, index) => first + index * EDGE_FIELDS);
    const parts = edges.filter((edge) => ['first', 'second', 'parent'].includes(this.edgeName(edge)));
    return parts.length === 0 ? this.nameOf(node) : parts.map((edge) => this.textOf(this.heap.edges[edge + 2]!)).join('');
  }

  private edgeName(edge: number): string {
    const { edges, strings, snapshot } = this.heap;
    const isIndex = ['element', 'hidden'].includes(snapshot.meta.edge_types[0][edges[edge]!]!);
    return isIndex ? `[${edges[edge + 1]}]` : strings[edges[edge + 1]!]!;
  }

  private isString(node: number): boolean {
    return this.heap.snapshot.meta.node_types[0][this.field(node, 'type')]!.includes('string');
  }

  private nameOf(node: number): string {
    return this.heap.strings[this.field(node, 'name')]!;
  }

  private field(node: number, name: string): number {
    return this.heap.nodes[node + this.heap.snapshot.meta.node_fields.indexOf(name)]!;
  }
}
