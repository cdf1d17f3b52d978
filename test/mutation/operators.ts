/** A node of the syntax tree (ESTree with TypeScript), as far as the operators look at it. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export interface Change {
  readonly operator: string;
  /** The node that is replaced as a whole. */
  readonly at: Node;
  /** The part of it that the report shows; `at` by default. */
  readonly shown?: Node;
  /** `body`: the function does nothing. */
  readonly form: 'expression' | 'statement' | 'body';
  readonly replacement: string;
}

type Operator = (node: Node, ancestors: readonly Node[], source: string) => readonly Change[];

/** The changes that begin at this node. */
export function changesOf(node: Node, ancestors: readonly Node[], source: string): readonly Change[] {
  const operator = OPERATORS[node.type];
  return operator === undefined || isText(ancestors, source) ? [] : operator(node, ancestors, source);
}

/** What errors and log lines say is prose: nobody is let in or kept out by it. */
function isText(ancestors: readonly Node[], source: string): boolean {
  return ancestors.some((node) => {
    if (node.type !== 'NewExpression' && node.type !== 'CallExpression') return false;
    const callee = textOf(node.callee as Node, source);
    return node.type === 'NewExpression' ? /Error$|^Refused/.test(callee) : /(^|\.|\?\.)log$/.test(callee);
  });
}

const COMPARED: Readonly<Record<string, readonly string[]>> = {
  '===': ['!=='],
  '!==': ['==='],
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
};
const CALCULATED: Readonly<Record<string, string>> = {
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '<<': '>>',
  '>>': '<<',
  '>>>': '<<',
  '&': '|',
  '|': '&',
  '^': '&',
  '**': '*',
};
/** Array and string methods with an opposite. */
const OPPOSITE: ReadonlyMap<string, string> = new Map([
  ['every', 'some'],
  ['some', 'every'],
  ['startsWith', 'endsWith'],
  ['endsWith', 'startsWith'],
  ['min', 'max'],
  ['max', 'min'],
  ['toLowerCase', 'toUpperCase'],
  ['toUpperCase', 'toLowerCase'],
  ['indexOf', 'lastIndexOf'],
  ['lastIndexOf', 'indexOf'],
]);
/** Methods that give back what they are called on, changed. */
const DROPPED = new Set(['filter', 'sort', 'toSorted', 'reverse', 'toReversed', 'slice', 'trim', 'trimEnd', 'replace', 'replaceAll']);

const OPERATORS: Readonly<Record<string, Operator>> = {
  IfStatement: (node) => conditions(node),
  ConditionalExpression: (node) => conditions(node),
  WhileStatement: (node) => [expression('condition', node.test as Node, 'false')],
  ForStatement: (node) => (node.test ? [expression('condition', node.test as Node, 'false')] : []),
  LogicalExpression: (node, _ancestors, source) => {
    const [left, right] = [textOf(node.left as Node, source), textOf(node.right as Node, source)];
    // A default that is what a missing value counts as anyway would be no change: one for both sides.
    if (node.operator === '??') return [expression('operand', node, `(${left}) && (${right})`)];
    // After `x !== undefined && …` the rest alone throws on undefined, which is one more way to be noticed.
    return [expression('operand', node, left), expression('operand', node, right)];
  },
  BinaryExpression: (node, _ancestors, source) => {
    const operator = node.operator as string;
    const left = node.left as Node;
    const right = node.right as Node;
    const joins = operator === '+' && [left, right].some(({ type, value }) => type === 'TemplateLiteral' || typeof value === 'string');
    const replaced = COMPARED[operator] ?? (CALCULATED[operator] === undefined || joins ? [] : [CALCULATED[operator]]);
    return replaced.map((other) => expression('operator', node, `${textOf(left, source)} ${other} ${textOf(right, source)}`));
  },
  UnaryExpression: (node, _ancestors, source) =>
    ['!', '-', '~'].includes(node.operator as string) ? [expression('operator', node, textOf(node.argument as Node, source))] : [],
  UpdateExpression: (node, _ancestors, source) => {
    const other = node.operator === '++' ? '--' : '++';
    const argument = textOf(node.argument as Node, source);
    return [expression('operator', node, node.prefix ? other + argument : argument + other)];
  },
  AssignmentExpression: (node, _ancestors, source) => {
    const other = CALCULATED[(node.operator as string).slice(0, -1)];
    if (other === undefined || /^['"`]/.test(textOf(node.right as Node, source))) return [];
    return [expression('operator', node, `${textOf(node.left as Node, source)} ${other}= ${textOf(node.right as Node, source)}`)];
  },
  Literal: (node, ancestors) => (isValue(node, ancestors) ? literals(node) : []),
  TemplateLiteral: (node, ancestors) => (ancestors.at(-1)?.type === 'TaggedTemplateExpression' ? [] : [expression('literal', node, '``')]),
  ArrayExpression: (node) => ((node.elements as unknown[]).length > 0 ? [expression('literal', node, '[]')] : []),
  CallExpression: (node, ancestors, source) => (isInChain(node, ancestors) ? [] : calls(node, source)),
  ChainExpression: (node, _ancestors, source) => chains(node, source),
  ExpressionStatement: (node) => (node.directive || isSuperCall(node.expression as Node) ? [] : [statement(node)]),
  BreakStatement: (node) => [statement(node)],
  ContinueStatement: (node) => [statement(node)],
  ThrowStatement: (node) => [statement(node)],
  ReturnStatement: (node, ancestors) => (node.argument ? returned(node.argument as Node, ancestors) : []),
  ArrowFunctionExpression: (node) => (node.expression ? returned(node.body as Node, [node]) : bodies(node)),
  FunctionDeclaration: (node) => bodies(node),
  FunctionExpression: (node, ancestors) => (ancestors.at(-1)?.kind === 'constructor' ? [] : bodies(node)),
};

/** `&&` that is always true and `||` that is always false are what dropping an operand finds already. */
function conditions(node: Node): Change[] {
  const test = node.test as Node;
  const { operator } = test;
  const found: Change[] = [];
  if (operator !== '&&') found.push(expression('condition', test, 'true'));
  if (operator !== '||') found.push(expression('condition', test, 'false'));
  return found;
}

function isValue(node: Node, ancestors: readonly Node[]): boolean {
  const parent = ancestors.at(-1)!;
  if (/^(Import|Export)/.test(parent.type)) return false;
  if (['Property', 'MethodDefinition', 'PropertyDefinition'].includes(parent.type)) return parent.value === node;
  // `n < 8` and `n < 9` differ as `<` and `<=` do.
  if (parent.type === 'BinaryExpression' && typeof node.value === 'number') return !/^[<>]=?$/.test(parent.operator as string);
  return parent.type !== 'ExpressionStatement';
}

function literals(node: Node): Change[] {
  const { value, regex } = node as { value?: unknown; regex?: { pattern: string; flags: string } };
  if (regex !== undefined) return patterns(regex.pattern).map((pattern) => expression('pattern', node, `/${pattern}/${regex.flags}`));
  if (typeof value === 'boolean') return [expression('literal', node, String(!value))];
  if (typeof value === 'number') return [expression('literal', node, String(value + 1))];
  if (typeof value === 'bigint') return [expression('literal', node, `${value + 1n}n`)];
  if (typeof value === 'string') return [expression('literal', node, value === '' ? "'mutated'" : "''")];
  return [];
}

/** The pattern without an anchor, with a class turned around, with one where many may stand. */
function patterns(pattern: string): string[] {
  const found = new Set<string>();
  if (pattern.startsWith('^')) found.add(pattern.slice(1));
  if (/[^\\]\$$/.test(pattern)) found.add(pattern.slice(0, -1));
  found.add(pattern.replace(/(^|[^\\])\[\^?/, (start) => (start.endsWith('^') ? start.slice(0, -1) : `${start}^`)));
  found.add(pattern.replace(/([^\\])[+*]/, '$1'));
  found.delete(pattern);
  return [...found];
}

function calls(node: Node, source: string): Change[] {
  const callee = node.callee as Node;
  if (callee.type !== 'MemberExpression' || callee.computed) return [];
  const name = (callee.property as Node).name as string;
  const property = callee.property as Node;
  const opposite = OPPOSITE.get(name);
  if (opposite !== undefined)
    return [expression('method', node, source.slice(node.start, property.start) + opposite + source.slice(property.end, node.end))];
  return DROPPED.has(name) ? [expression('method', node, textOf(callee.object as Node, source))] : [];
}

function isInChain(node: Node, ancestors: readonly Node[]): boolean {
  let child = node;
  for (const parent of [...ancestors].reverse()) {
    if (parent.type === 'ChainExpression') return true;
    const goesOn =
      (parent.type === 'MemberExpression' && parent.object === child) ||
      (parent.type === 'CallExpression' && parent.callee === child) ||
      parent.type === 'TSNonNullExpression';
    if (!goesOn) return false;
    child = parent;
  }
  return false;
}

/** Each `?.` of a chain without its question mark. */
function chains(node: Node, source: string): Change[] {
  const found: Change[] = [];
  let link: Node | undefined = node.expression as Node;
  while (link !== undefined) {
    const inner: Node | undefined = (link.object ?? link.callee ?? (link.type === 'TSNonNullExpression' ? link.expression : undefined)) as
      | Node
      | undefined;
    if (link.optional && inner !== undefined) {
      const mark = source.indexOf('?.', inner.end);
      const dot = link.type === 'CallExpression' || link.computed ? '' : '.';
      found.push(expression('optional', node, source.slice(node.start, mark) + dot + source.slice(mark + 2, node.end)));
    }
    link = inner;
  }
  return found;
}

/** Literals and comparisons have changes of their own, which find the same. */
function returned(value: Node, ancestors: readonly Node[]): Change[] {
  const own = ['Literal', 'TemplateLiteral', 'BinaryExpression', 'LogicalExpression', 'UnaryExpression', 'ConditionalExpression'];
  const nothing = value.type === 'Identifier' && value.name === 'undefined';
  const isCurried = /Function/.test(value.type) && ancestors.length === 1;
  return nothing || isCurried || own.includes(value.type) || (value.type === 'UnaryExpression' && value.operator === 'void')
    ? []
    : [expression('returned', value, 'undefined')];
}

function isSuperCall(node: Node): boolean {
  return (node.callee as Node | undefined)?.type === 'Super';
}

/** A function of several statements that gives nothing back, emptied; of one statement, removing that is the same. */
function bodies(node: Node): Change[] {
  const body = node.body as Node | null;
  if (body?.type !== 'BlockStatement' || (body.body as Node[]).length < 2 || givesBack(body)) return [];
  return [{ operator: 'body', at: body, form: 'body', replacement: '' }];
}

function givesBack(node: Node): boolean {
  if (node.type === 'ReturnStatement' && node.argument) return true;
  if (/Function/.test(node.type)) return false;
  return Object.values(node).some((value) =>
    (Array.isArray(value) ? value : [value]).some((child) => typeof child?.type === 'string' && givesBack(child as Node)),
  );
}

function expression(operator: string, at: Node, replacement: string): Change {
  return { operator, at, form: 'expression', replacement };
}

function statement(at: Node): Change {
  return { operator: 'removed', at, form: 'statement', replacement: '' };
}

function textOf(node: Node, source: string): string {
  return source.slice(node.start, node.end);
}
