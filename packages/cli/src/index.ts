/** The command `ripstop`: what people and scripts call of the other packages. It decides nothing by itself. */

export { createProgram } from './program.ts';
