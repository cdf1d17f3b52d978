type Body = (...args: unknown[]) => unknown;
type HookName = 'beforeAll' | 'afterAll' | 'beforeEach' | 'afterEach';

export interface Test {
  readonly kind: 'test';
  readonly title: string;
  readonly body: Body;
  readonly suite: Suite;
}

export interface Suite {
  readonly parent: Suite | undefined;
  readonly hooks: Record<HookName, Body[]>;
  readonly children: (Test | { readonly kind: 'suite'; readonly suite: Suite })[];
}

let collecting: Suite = newSuite(undefined);

/** Runs `load` (the import of a test file) and gives the tests that it declared. */
export async function collect(load: () => Promise<unknown>): Promise<Suite> {
  const top = newSuite(undefined);
  collecting = top;
  await load();
  return top;
}

export function testsOf(suite: Suite): Test[] {
  return suite.children.flatMap((child) => (child.kind === 'test' ? [child] : testsOf(child.suite)));
}

/** Runs the chosen tests with their hooks; `run` gets each one. Ends after the first that `run` answers false for. */
export async function runSuite(
  suite: Suite,
  chosen: ReadonlySet<Test>,
  run: (test: Test, body: () => Promise<void>) => Promise<boolean>,
): Promise<boolean> {
  if (!testsOf(suite).some((test) => chosen.has(test))) return true;
  const cleanups: Body[] = [...suite.hooks.afterAll].reverse();
  try {
    for (const hook of suite.hooks.beforeAll) {
      const cleanup = await hook();
      if (typeof cleanup === 'function') cleanups.push(cleanup as Body);
    }
    for (const child of suite.children) {
      const goesOn =
        child.kind === 'suite' ? await runSuite(child.suite, chosen, run) : !chosen.has(child) || (await run(child, () => runTest(child)));
      if (!goesOn) return false;
    }
    return true;
  } finally {
    for (const hook of cleanups) await hook();
  }
}

async function runTest({ suite, body }: Test): Promise<void> {
  const around: Suite[] = [];
  for (let at: Suite | undefined = suite; at !== undefined; at = at.parent) around.push(at);
  const cleanups = around.flatMap((one) => [...one.hooks.afterEach].reverse());
  try {
    for (const one of [...around].reverse())
      for (const hook of one.hooks.beforeEach) {
        const cleanup = await hook();
        if (typeof cleanup === 'function') cleanups.unshift(cleanup as Body);
      }
    await body({});
  } finally {
    for (const hook of cleanups) await hook();
  }
}

function newSuite(parent: Suite | undefined): Suite {
  return { parent, hooks: { beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] }, children: [] };
}

export type OnHook = (body: Body) => void;

export function onHook(name: HookName): OnHook {
  return (body) => void collecting.hooks[name].push(body);
}

type Declare = (title: string, ...rest: unknown[]) => void;

interface Declaring extends Declare {
  readonly skip: Declare;
  skipIf(condition: unknown): Declare;
  each(table: readonly unknown[]): Declare;
}

/** `f(title, body)`, `f(title, options, body)`, with `each`, `skip` and `skipIf` as in vitest. */
function declaring(declare: (title: string, body: Body) => void): Declaring {
  const declared: Declare = (title, ...rest) => declare(title, bodyOf(rest));
  const skip: Declare = () => {};
  const each = (table: readonly unknown[]): Declare => {
    return (title, ...rest) => {
      const body = bodyOf(rest);
      for (const [index, row] of table.entries())
        declared(`${title} [${index}]`, () => (Array.isArray(row) ? body(...(row as unknown[])) : body(row)));
    };
  };
  return Object.assign(declared, { skip, skipIf: (condition: unknown) => (condition ? skip : declared), each });
}

function bodyOf(rest: readonly unknown[]): Body {
  return rest.find((one) => typeof one === 'function') as Body;
}

export const it: Declaring = declaring((title, body) => {
  collecting.children.push({ kind: 'test', title, body, suite: collecting });
});

export const describe: Declaring = declaring((_title, body) => {
  const parent = collecting;
  const suite = newSuite(parent);
  parent.children.push({ kind: 'suite', suite });
  collecting = suite;
  try {
    body();
  } finally {
    collecting = parent;
  }
});
