import { type Command, Option } from 'commander';
import type { Io } from '../../io.js';
import { withAuthorityPackage } from './authority-package.js';
import type { DevOptions } from './dev.js';

/** Adds `dev`. */
export function defineDev(program: Command, io: Io): void {
  program
    .command('dev')
    .description('run an authority in memory with one agent and one user, and print what to paste')
    .option('--listen <address>', 'a port, or an address of this machine only', '127.0.0.1:8787')
    .option('--api <origin>', 'the API for which it issues tokens', 'http://localhost:3000')
    .option('--agent <id>', 'id of the agent', 'agent-dev')
    .option('--user <name>', 'the user for whom the agent acts', 'alice')
    .option('--scope <scopes>', 'what both may do, separated by spaces or commas', 'repo:read')
    .addOption(
      new Option('--scope-match <match>', 'how the API compares scopes, as scopeMatch of its guard')
        .choices(['hierarchical', 'exact'])
        .default('hierarchical'),
    )
    .option('--roles <names>', 'roles that policies know the agent by, separated by spaces or commas', 'reader,writer')
    .option('--approver <name>', 'who you are on the pages of the authority', 'rita')
    .option('--groups <names>', 'groups of the approver, separated by spaces or commas', 'approvers')
    .addHelpText(
      'after',
      `
It needs the package @countersign/authority beside the command line.
For development only: it prints private keys, and refuses to start when NODE_ENV
is production. Nothing is kept. Standard output gets one line of JSON: issuer,
adminToken, agent (id, privateKey), user (id, token), approvals (url, approver,
groups), issuerKey.

The API sees the user as dev:alice. For a user whom your application has to
find, mint a token with 'countersign token' instead.

Example:
  countersign dev --api http://localhost:3000 --scope parcel:read > dev.json`,
    )
    .action(async (options: DevOptions) => {
      const { dev } = await withAuthorityPackage(() => import('./dev.js'));
      await dev(options, io);
    });
}
