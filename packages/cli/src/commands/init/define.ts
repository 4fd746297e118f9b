import type { Command } from 'commander';
import type { Io } from '../../io.js';
import type { InitOptions } from './init.js';

/** Adds `init`. */
export function defineInit(program: Command, io: Io): void {
  program
    .command('init')
    .description(
      'put a guard into an Express, Fastify, Koa or NestJS application: its files, and the diff of your code',
    )
    .argument('[folder]', 'the application, with its package.json', '.')
    .option('--origin <url>', 'what requests are addressed to', 'http://localhost:3000')
    .option('--id <id>', 'id of the first agent', 'agent-dev')
    .option('--framework <name>', 'express, fastify, koa or nestjs, if package.json names several')
    .option('--routes <file>', 'the routes that agents may use: lines of METHOD /path [action [Resource]]')
    .option('--undo', 'remove what an earlier init wrote and nobody has changed since', false)
    .addHelpText(
      'after',
      `
It writes guard.ts or guard.js, agent-routes.txt, policies/, agents.json with one
agent, its key agent.pem (mode 0600), test/agents.test.* for vitest, Jest, mocha
or node:test, and lines of .gitignore: all of it, or nothing. It changes none of
your code: standard output gets a diff with agentAuth and the permits, which is
also .countersign/init.diff, for git apply.

Routes are found where app.get('/path', …) and the like stand in the source. At
first, agents get at most ten routes that only read. agent-routes.txt lists all:
choose there and run init again. It then replaces what nobody has changed, and
keeps guard and key. A path in --routes may have the prefix of a mount or not.

A login that it knows in package.json makes the guard expect people, too
(traffic: 'mixed'), and the policies permit agents only what a user lets them do.
If it knows none, it says so: set that option by hand and run init again.

Exit code 2: there is no such application.

Example:
  countersign init --origin http://localhost:3000
  git apply .countersign/init.diff`,
    )
    .action(async (folder: string, options: InitOptions) => {
      const { init } = await import('./init.js');
      await init(folder, options, io);
    });
}
