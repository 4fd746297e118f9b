// The tools of every server that is a program of its own. Each run is noted in the file RAN.
import { appendFileSync } from 'node:fs';
import { z } from 'zod';

export const port = Number(process.env.PORT);

export const tools = {
  whoami: z.object({}),
  query: z.object({ dataset: z.string() }),
  secret: z.object({}),
  undeclared: z.object({}),
};

export function run(name) {
  appendFileSync(process.env.RAN, `${name}\n`);
  return 'ran';
}
