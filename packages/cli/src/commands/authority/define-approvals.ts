import type { Command } from 'commander';
import type { Io } from '../../io.js';
import type {
  AdminOptions,
  BreakGlassOptions,
  DeadLetterOptions,
  DenyOptions,
  ListOptions,
  StatisticsOptions,
} from './approvals.js';
import type { SuggestOptions } from './suggest.js';

const tokenHelp = `
The token of the administrator is read from --token-file, or from the
environment variable COUNTERSIGN_ADMIN_TOKEN.`;

/** Adds `approvals` and the commands in it. */
export function defineApprovals(program: Command, io: Io): void {
  const approvals = program
    .command('approvals')
    .description('see what waits for people at an authority, how they decide, and what they need not be asked')
    .addHelpText(
      'after',
      `${tokenHelp}

People approve on the pages of the authority, not here: a token is nobody.

Exit code 1: the authority refuses, or cannot be reached.

Example:
  countersign approvals list --authority https://id.acme.dev`,
    );

  withAuthority(approvals.command('list').description('list requests: id, status, agent, action, resource, groups'))
    .option('--status <status>', 'waiting, ended or break-glass', 'waiting')
    .option('--agent <id>', 'only those of this agent')
    .option('--json', 'print them as JSON', false)
    .addHelpText(
      'after',
      `
Example:
  countersign approvals list --authority https://id.acme.dev --status ended`,
    )
    .action(async (options: ListOptions) => await (await import('./approvals.js')).list(options, io));

  withAuthority(approvals.command('show').description('print all of a request, as JSON').argument('<id>', 'its id'))
    .addHelpText(
      'after',
      `
What the agent showed is in it: bodies and arguments.

Example:
  countersign approvals show ID --authority https://id.acme.dev`,
    )
    .action(
      async (id: string, options: AdminOptions) => await (await import('./approvals.js')).showOne(id, options, io),
    );

  withAuthority(approvals.command('deny').description('end a request without approval').argument('<id>', 'its id'))
    .option('--reason <text>', 'why; the agent reads it')
    .addHelpText(
      'after',
      `
Example:
  countersign approvals deny ID --authority https://id.acme.dev \\
    --reason 'No merges before Monday'`,
    )
    .action(async (id: string, options: DenyOptions) => await (await import('./approvals.js')).deny(id, options, io));

  withAuthority(
    approvals.command('statistics').description('how much is asked, and how each person decides: rate, median time'),
  )
    .option('--days <days>', 'of the last days, 1 to 90', '30')
    .option('--json', 'print them as JSON', false)
    .addHelpText(
      'after',
      `
Somebody who approves everything within seconds does not read it.

Example:
  countersign approvals statistics --authority https://id.acme.dev --days 7`,
    )
    .action(async (options: StatisticsOptions) => await (await import('./approvals.js')).statistics(options, io));

  withAuthority(
    approvals.command('suggest').description('propose policies for what people always approve, as a diff to commit'),
  )
    .requiredOption('--audience <audience>', 'the audience of the API whose policies these are')
    .option('--least <count>', 'approved so often, and never denied', '10')
    .option('--days <days>', 'how long such a policy counts, 1 to 365', '30')
    .option('--policies <folder>', 'folder of the policies that asked, below this one', 'policies')
    .addHelpText(
      'after',
      `
Nothing is changed. Each policy is for one agent, one user, one action and one
resource, by signed requests to this API, and expires. It keeps the conditions
of the permits that asked, which it reads in the folder, and leaves out what
another permit asks about. It permits the rest whatever its content: narrow it.

Example:
  countersign approvals suggest --authority https://id.acme.dev \\
    --audience https://api.acme.dev > narrow.diff
  git apply narrow.diff`,
    )
    .action(async (options: SuggestOptions) => await (await import('./suggest.js')).suggest(options, io));

  withAuthority(
    approvals.command('break-glass').description('list emergencies: who approved alone, why, and who reviewed it'),
  )
    .option('--open', 'only those that nobody has reviewed; exit code 3 if there are any', false)
    .addHelpText(
      'after',
      `
They are reviewed on the pages of the authority, by another person.

Example:
  countersign approvals break-glass --authority https://id.acme.dev --open`,
    )
    .action(async (options: BreakGlassOptions) => await (await import('./approvals.js')).breakGlass(options, io));

  withAuthority(approvals.command('dead-letters').description('list messages to channels that were given up'))
    .option('--retry', 'send them again', false)
    .addHelpText(
      'after',
      `
Example:
  countersign approvals dead-letters --authority https://id.acme.dev --retry`,
    )
    .action(async (options: DeadLetterOptions) => await (await import('./approvals.js')).deadLetters(options, io));
}

function withAuthority(command: Command): Command {
  return command
    .requiredOption('-a, --authority <url>', 'the issuer of the authority')
    .option('--token-file <file>', 'file with the token of the administrator');
}
