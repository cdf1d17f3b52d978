import { ATTACKS } from './attacks.ts';

/* One attack, in a process of its own, until the parent lets go of it. */

const [, , name, port] = process.argv;
const attack = ATTACKS.find((one) => one.name === name);
if (attack === undefined) throw new Error(`no attack is called ${name}`);
let stop = false;
process.once('message', () => {
  stop = true;
});
process.once('disconnect', () => process.exit());
process.send!(await attack.run(Number(port), () => stop));
process.disconnect();
