import type { Exchange } from '../exchange.ts';
import type { Random } from '../ports.ts';

/**
 * A request's random value, a whole number below 2^53 that is drawn once: runtime fractions of several routes and the weights of
 * clusters see the same one, as in Envoy. (A route for 50 % of the requests with weights 50 and 50 sends them all to the first cluster.)
 */
export function randomValue(x: Exchange, random: Random): number {
  if (x.randomValue < 0) x.randomValue = Math.floor(random() * 2 ** 53);
  return x.randomValue;
}
