import { type ASTNode, Environment, serialize } from '@marcbachmann/cel-js';
import type { Exchange, Outcome } from '@ripstop/core';
import type { RE2JS } from 're2js';
import { compileRe2 } from '../regex.ts';
import { celAttributes } from './cel-attributes.ts';

/** Value of a CEL expression for a finished exchange; undefined when it cannot be computed, for example for want of a header. */
export type CelExpression = (x: Exchange, outcome: Outcome) => unknown;

const PATTERNS_KEPT = 100;

/** Compiles a CEL expression over Envoy's attributes. Throws on one that is none. `matches` has RE2 semantics, in linear time. */
export function compileCel(expression: string): CelExpression {
  let evaluate: (attributes: object) => unknown;
  try {
    const environment = celEnvironment();
    const { ast } = environment.parse(expression);
    matchByRe2(ast);
    evaluate = environment.parse(serialize(ast)) as (attributes: object) => unknown;
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new Error(`CEL expression ${JSON.stringify(expression)}: ${reason}`);
  }
  return (x, outcome) => {
    try {
      return evaluate(celAttributes(x, outcome));
    } catch {
      // Envoy: an expression that fails has no value.
      return undefined;
    }
  };
}

function celEnvironment(): Environment {
  const patterns = new Map<string, RE2JS>();
  const compiled = (pattern: string): RE2JS => {
    const known = patterns.get(pattern);
    if (known !== undefined) return known;
    const regex = compileRe2(pattern);
    if (patterns.size < PATTERNS_KEPT) patterns.set(pattern, regex);
    return regex;
  };
  return new Environment({ unlistedVariablesAreDyn: true }).registerFunction(
    're2Matches(string, string): bool',
    (text: string, pattern: string) => compiled(pattern).matcher(text).find(),
  );
}

/** The library matches by V8's engine, which backtracks: every call of `matches` becomes one of our own function. */
function matchByRe2(node: unknown): void {
  if (Array.isArray(node)) {
    for (const item of node) matchByRe2(item);
    return;
  }
  if (typeof node !== 'object' || node === null || !('op' in node)) return;
  const call = node as { op: string; args: unknown };
  if (call.op === 'rcall' && Array.isArray(call.args) && call.args[0] === 'matches') {
    const [, receiver, args] = call.args as [string, ASTNode, ASTNode[]];
    call.op = 'call';
    call.args = ['re2Matches', [receiver, ...args]];
  }
  matchByRe2(call.args);
}
