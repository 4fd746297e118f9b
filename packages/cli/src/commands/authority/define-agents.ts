import type { Command } from 'commander';
import type { Io } from '../../io.js';
import type { AddOptions, AdminOptions, ListOptions, RotateOptions, Status, StatusOptions } from './agents.js';

const tokenHelp = `
The token of the administrator is read from --token-file, or from the
environment variable COUNTERSIGN_ADMIN_TOKEN.`;

/** Adds `agents` and the commands in it. */
export function defineAgents(program: Command, io: Io): void {
  const agents = program
    .command('agents')
    .description('register agents at an authority, rotate their keys, suspend and revoke them')
    .addHelpText(
      'after',
      `${tokenHelp}

Exit code 1: the authority refuses, or cannot be reached.

Example:
  countersign agents list --authority https://id.acme.dev --tag ci`,
    );

  withKey(withAuthority(agents.command('add').description('register an agent').argument('<id>', 'id of the agent')))
    .option('--capabilities <scopes>', 'scopes the agent may ever use, separated by spaces or commas', '')
    .option('--roles <names>', 'roles that policies know it by, separated by spaces or commas', '')
    .option('--tags <names>', 'to find it by, separated by spaces or commas', '')
    .option('--owner <name>', 'who answers for it')
    .option('--name <name>', 'how people see it (default: its id)')
    .option('--redirect-uris <urls>', 'where a user who was asked goes back to, separated by spaces or commas', '')
    .option('--expires <time>', 'from then on it is suspended: ISO 8601, like 2027-01-31T00:00:00Z')
    .option('--pending', 'it may act only after `agents resume`', false)
    .addHelpText(
      'after',
      `${tokenHelp}

Of --key only the public part is sent.

Example:
  countersign agents add agent-a --authority https://id.acme.dev \\
    --key agent.pem --capabilities repo:read --owner team-a --tags ci`,
    )
    .action(async (id: string, options: AddOptions) => await (await import('./agents.js')).add(id, options, io));

  withAuthority(agents.command('list').description('list agents: id, status, owner, tags'))
    .option('--tag <tag>', 'only those with this tag')
    .option('--status <status>', 'only pending, active, suspended or revoked ones')
    .option('--json', 'print all that is known of them, as JSON', false)
    .addHelpText(
      'after',
      `
Example:
  countersign agents list --authority https://id.acme.dev --status suspended`,
    )
    .action(async (options: ListOptions) => await (await import('./agents.js')).list(options, io));

  withAuthority(
    agents.command('show').description('print what is known of an agent, as JSON').argument('<id>', 'its id'),
  )
    .addHelpText(
      'after',
      `
Example:
  countersign agents show agent-a --authority https://id.acme.dev`,
    )
    .action(
      async (id: string, options: AdminOptions) => await (await import('./agents.js')).showAgent(id, options, io),
    );

  withKey(
    withAuthority(
      agents.command('rotate').description('give an agent a new key; its others end').argument('<id>', 'its id'),
    ),
  )
    .option('--overlap <seconds>', 'how long the others still count', '86400')
    .addHelpText(
      'after',
      `
Example:
  countersign agents rotate agent-a --authority https://id.acme.dev \\
    --key new.pem --overlap 3600`,
    )
    .action(async (id: string, options: RotateOptions) => await (await import('./agents.js')).rotate(id, options, io));

  const changes: readonly (readonly [string, Status, string, string])[] = [
    [
      'suspend',
      'suspended',
      'let an agent, or all active ones with a tag, act no more until `agents resume`',
      'It ends open invitations of the agent, or with the tag.',
    ],
    [
      'resume',
      'active',
      'let an agent, or all that were suspended by a tag, act again',
      `By its id: whatever suspended it, and approves a pending one.
With a tag or a pattern: who was suspended by it, and by nothing else.
\`agents show\` says what suspends an agent.`,
    ],
    [
      'revoke',
      'revoked',
      'end an agent, or all with a tag, for ever',
      'It ends open invitations of the agent, or with the tag.',
    ],
  ];
  for (const [name, status, description, details] of changes) {
    withAuthority(
      agents
        .command(name)
        .description(description)
        .argument('[id]', "its id, or a pattern of SPIFFE IDs like 'spiffe://example.org/ci/*'; or --tag"),
    )
      .option('--tag <tag>', 'all agents with this tag')
      .addHelpText(
        'after',
        `
${details}

Examples:
  countersign agents ${name} agent-a --authority https://id.acme.dev
  countersign agents ${name} --tag ci --authority https://id.acme.dev`,
      )
      .action(
        async (id: string | undefined, options: StatusOptions) =>
          await (await import('./agents.js')).setStatus(status, id, options, io),
      );
  }
}

function withAuthority(command: Command): Command {
  return command
    .requiredOption('-a, --authority <url>', 'the issuer of the authority')
    .option('--token-file <file>', 'file with the token of the administrator');
}

function withKey(command: Command): Command {
  return command
    .option('-k, --key <file>', 'its private key: PEM, JWK or nacl secretKey in base64')
    .option('--public-key <base64>', 'instead: its public key, as `countersign keygen` prints it');
}
